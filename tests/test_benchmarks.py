"""What README says of speed is what was measured."""

from pathlib import Path

import attrs
import pytest

from benchmarks import results
from benchmarks.report import Row, table


def test_the_readme_files_quote_the_last_run() -> None:
    where, rows = results.kept()
    assert results.quoted(results.ALL) == results.everything(where, rows)
    assert results.quoted(results.EXTRACT) == results.extract(where, rows)


def test_the_last_run_was_of_every_benchmark() -> None:
    _, rows = results.kept()
    assert [*dict.fromkeys(row.question for row in rows)] == [*results.QUESTIONS]
    for name in results.QUESTIONS:
        assert results.question(name).endswith("?"), name


def test_results_are_kept_and_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where, rows = results.kept()
    rows[0] = attrs.evolve(rows[0], value=123.0, spread=(122.0, 124.0))
    for name in ("KEPT", "ALL", "EXTRACT"):
        monkeypatch.setattr(results, name, tmp_path / name)
        (tmp_path / name).write_text("before\n\n<!-- results -->\n\n\n\n<!-- end of results -->")
    results.keep(where, rows)
    assert results.kept() == (where, rows)
    for file in (results.ALL, results.EXTRACT):
        assert file.read_text().startswith("before\n\n<!-- results -->\n\n`python -m benchmarks`")
        assert "123 x" in results.quoted(file)


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
def test_a_missed_target_is_told(
    value: float, target: float | None, at_least: bool, verdict: str
) -> None:
    row = Row("question", "what", value, "x", target, at_least, (1.0, 3.0))
    assert row.cells()[-1] == verdict
    assert row.is_good == (verdict != "**missed**")
    header, _, line = table([row]).splitlines()
    assert len(header) == len(line)
    assert len(table([row], short=True).splitlines()[2].split("|")) == len(line.split("|")) - 1
