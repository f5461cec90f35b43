"""README is short, and what it says of figures, example and first command is true."""

import json
import re
import subprocess
import sys

import attrs
import pytest

from tests.support.documents import PROGRAMS, README, ROOT, run

# What README quotes of benchmarks/results.json, and in which words.
FIGURES = {
    ("limits", "aiopresence: time over the optimum"): "{:.2f} times the shortest possible time",
    ("growth", "memory for 1,000,000 ids"): "1,000,000 ids needs {:.2f} MB",
    (
        "decoding",
        "30 detailed records: time of ringcentral 0.9.2 over aiopresence's",
    ): "{:.1f} times as fast as by RingCentral's Python SDK",
    ("live", "latency, median"): "within {:.2f} ms (median)",
    (
        "cost",
        "1,000 extensions for an hour: aiopresence's board (counted)",
    ): "a board of 1,000 extensions takes {:.0f} requests",
    ("routes", "30,000 of 30,000: requests"): "all of 30,000 extensions take {:.0f} requests",
    ("shared", "one Redis: time over one process"): "take {:.2f} times as long as one",
}


def test_it_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 9 * 1024


def test_it_quotes_the_benchmarks_as_they_are() -> None:
    rows = json.loads((ROOT / "benchmarks/results.json").read_text())["rows"]
    values = {(row["benchmark"], row["label"]): row["value"] for row in rows}
    for key, words in FIGURES.items():
        assert words.format(values[key]) in README, key
    assert "without a single 429" in README
    assert values["limits", "aiopresence: 429s"] == values["shared", "one Redis: 429s"] == 0


def test_the_example_does_what_is_said_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = [each for each in PROGRAMS if each.document.name == "README.md"]
    assert "prints 101 lines, from four requests" in README
    count = "        print(session.stats.requests)\n"
    code = example.code.replace("\n\n\nasyncio.run", f"\n{count}\n\nasyncio.run")
    run(attrs.evolve(example, code=code))
    *lines, last, requests = capsys.readouterr().out.splitlines()
    assert (len(lines), requests) == (100, "4")
    assert last.startswith("999 HTTP 404: CMN-102")


@pytest.mark.parametrize(
    ("more", "requests"), [((), "1 request"), (("--route", "batches"), "34 requests")]
)
def test_the_first_command_takes_as_many_requests_as_stated(
    more: tuple[str, ...], requests: str
) -> None:
    assert "in one request (with `--route batches` in 34):" in README
    command = re.findall(r"^\.venv/bin/aiopresence (.*)$", README, re.M)[0]
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", "from aiopresence.cli import main; main()", *command.split(), *more],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert f"1,000 extensions in {requests}," in done.stderr
