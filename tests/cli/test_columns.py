"""Columns of tables: their widths, and text that is cut or padded."""

from aiopresence.cli.columns import Column, cut, fit_columns, pad


def test_columns_shrink_and_are_omitted() -> None:
    columns = {
        "a": Column(10),
        "b": Column(20, least=10, drop=1),
        "c": Column(20, least=10, drop=2),
    }
    assert fit_columns(columns, 100) == {"a": 10, "b": 20, "c": 20}
    assert fit_columns(columns, 40) == {"a": 10, "b": 18, "c": 10}
    assert fit_columns(columns, 32) == {"a": 10, "b": 10, "c": 10}
    assert fit_columns(columns, 31) == {"a": 10, "b": 20}
    assert fit_columns(columns, 5) == {"a": 10}


def test_wide_characters_take_two_cells() -> None:
    assert pad("外出", 6) == "外出  "
    assert pad("longer than that", 4) == "longer than that"
    assert (cut("外出中", 6), cut("外出中", 5), cut("abcdef", 4)) == ("外出中", "外出…", "abc…")
