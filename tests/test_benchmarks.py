"""The benchmarks' README has the results of their last run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy to change."""
    ignore = shutil.ignore_patterns("__pycache__", "*.svg")
    return shutil.copytree(BENCHMARKS, tmp_path / "benchmarks", ignore=ignore)


def change_first_row(copy: Path, **values: Any) -> None:
    path = copy / "results.json"
    results = json.loads(path.read_text())
    results["rows"][0] |= values
    path.write_text(json.dumps(results))


def test_readme_has_the_results_of_every_benchmark() -> None:
    done = run(BENCHMARKS.parent, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_readme_with_other_results_is_found_and_corrected(copy: Path) -> None:
    change_first_row(copy, value=123.0, quartiles=[122.0, 124.0])
    done = run(copy.parent, "--check")
    assert done.returncode == 1
    assert "README.md differs from results.json" in done.stdout
    assert run(copy.parent, "--write-tables").returncode == 0
    assert "| 123 x " in (copy / "README.md").read_text()


def test_a_benchmark_without_results_is_found(copy: Path) -> None:
    path = copy / "results.json"
    results = json.loads(path.read_text())
    results["rows"] = [row for row in results["rows"] if row["benchmark"] != "live"]
    path.write_text(json.dumps(results))
    done = run(copy.parent, "--write-tables")
    assert done.returncode == 1
    assert "results.json does not have the results of every benchmark" in done.stdout


@pytest.mark.parametrize(
    ("value", "target", "at_least", "verdict"),
    [
        (2.0, 2.0, False, "met"),
        (2.01, 2.0, False, "**missed**"),
        (2.0, 2.0, True, "met"),
        (1.99, 2.0, True, "**missed**"),
        (99.0, None, False, ""),
    ],
)
def test_a_missed_target_is_marked(
    copy: Path, value: float, target: float | None, at_least: bool, verdict: str
) -> None:
    label = "the row of this test"
    change_first_row(copy, value=value, target=target, at_least=at_least, label=label)
    run(copy.parent, "--write-tables")
    [line] = [line for line in (copy / "README.md").read_text().splitlines() if label in line]
    assert line.split("|")[-2].strip() == verdict


def test_an_unknown_name_is_refused() -> None:
    done = run(BENCHMARKS.parent, "decodng")
    assert done.returncode == 2
    assert "no such benchmark: decodng" in done.stderr
