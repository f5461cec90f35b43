"""Output formats: one renderer class for each, listed in `OutputFormat`.

To add a format, write its renderer and add a line to `OutputFormat`. Every command that takes
`--output` offers it.
"""

import csv
import io
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Self

import attrs

from . import console
from .columns import GAP, STATUS_STYLES, Column, cut, fit_columns, full_widths, pad
from .console import print_json, print_line, print_styled
from .conversion import cell, document_text, plain

# What makes a spreadsheet run a cell as a formula, at its beginning or, where columns end with a
# semicolon, after one. Some spreadsheets skip spaces and quotes before it.
_FORMULA = re.compile(r"(^|;)(?=[\s\"']*[=+\-@\uff1d\uff0b\uff0d\uff20])")
# Numbers, such as telephone numbers, are not formulas.
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)


# A part of a line, and its style.
Part = tuple[str, str]


@attrs.frozen
class Layout:
    """How the results of a command are presented.

    Attributes:
        columns: the columns of tables and CSV. A column "error" has no place of its own in a
            table: the error is written in place of the last cells, which are empty because of it.
        rows: returns the rows of a result, each with a value for every column.
        document: returns the JSON value of a result.
        is_single: whether there is exactly one result: its JSON is not in a list.
        line: returns the parts of a line for people, where that replaces a row of the table.
    """

    columns: Mapping[str, Column]
    rows: Callable[[Any], Iterable[Sequence[Any]]]
    document: Callable[[Any], Any] = plain
    is_single: bool = False
    line: Callable[[Any], Sequence[Part]] | None = None


def one_row(cells: Callable[[Any], Sequence[Any]]) -> Callable[[Any], Iterable[Sequence[Any]]]:
    """Return `Layout.rows` for results with one row each."""
    return lambda item: (cells(item),)


class Renderer(ABC):
    """Writes results to standard output; use it with `with`.

    Attributes:
        is_incremental: whether results are written before the last one is known.
    """

    is_incremental: ClassVar[bool] = True

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()

    @abstractmethod
    def write(self, item: Any) -> None:
        """Write one result."""

    def finish(self) -> None:  # noqa: B027 - most formats end with the last result
        """Write what follows the last result; not called after an error."""


class JsonRenderer(Renderer):
    """Writes one JSON document at the end."""

    is_incremental = False

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._documents: list[Any] = []

    def write(self, item: Any) -> None:
        """Keep one result for the document."""
        self._documents.append(self._layout.document(item))

    def finish(self) -> None:
        """Write the document."""
        value = self._documents[0] if self._layout.is_single else self._documents
        print_json(document_text(value, 2))


class JsonLinesRenderer(Renderer):
    """Writes one line of JSON for each result."""

    def write(self, item: Any) -> None:
        """Write one result."""
        print_json(document_text(self._layout.document(item)))


class _RowRenderer(Renderer):
    """Writes a header, then rows of text."""

    _has_header = False

    def write(self, item: Any) -> None:
        self._begin()
        for row in self._layout.rows(item):
            self.write_row([cell(value) for value in row])

    def finish(self) -> None:
        self._begin()

    def _begin(self) -> None:
        """Write the header, once the first result is known or the last: an error has none."""
        if not self._has_header:
            self._has_header = True
            self.write_header()

    @abstractmethod
    def write_header(self) -> None: ...

    @abstractmethod
    def write_row(self, texts: list[str]) -> None: ...


class RawCsvRenderer(_RowRenderer):
    """Writes CSV with the cells as they are."""

    def write_header(self) -> None:
        """Write the names of the columns."""
        print_line(_csv_line([*self._layout.columns]))

    def write_row(self, texts: list[str]) -> None:
        """Write one row."""
        print_line(_csv_line(texts))


class CsvRenderer(RawCsvRenderer):
    """Writes CSV in which no cell is a formula for a spreadsheet."""

    def write_row(self, texts: list[str]) -> None:
        """Write one row."""
        super().write_row([disarm_formula(text) for text in texts])


class TableRenderer(_RowRenderer):
    """Writes a table: on a terminal in color and as wide as it, elsewhere complete."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._columns = {name: c for name, c in layout.columns.items() if name != "error"}
        self._is_terminal = sys.stdout.isatty()
        self._widths = full_widths(self._columns)
        if self._is_terminal:
            self._widths = fit_columns(self._columns, console.terminal().width)

    def write_header(self) -> None:
        """Write the headings."""
        headings = {n: (c.heading or n).upper() or " " for n, c in self._columns.items()}
        self._write_cells(headings, "bold")

    def write_row(self, texts: list[str]) -> None:
        """Write one row."""
        self._write_cells(dict(zip(self._layout.columns, texts, strict=True)))

    def _write_cells(self, texts: dict[str, str], style: str = "") -> None:
        error = texts.pop("error", "")
        shown = [*self._widths]
        while error and shown and not texts[shown[-1]]:
            del shown[-1]
        parts: list[Part] = []
        for name in shown:
            width, text = self._widths[name], texts[name] or "-"
            if self._is_terminal and width < self._columns[name].width:
                text = cut(text, width)
            parts.append((pad(text, width), style or STATUS_STYLES.get(texts[name], "")))
        self._print([*parts, (error, "red")])

    def _print(self, parts: list[Part]) -> None:
        _print_parts(part for each in parts for part in (each, (GAP, "")))


class LineRenderer(Renderer):
    """Writes one line for people for each result."""

    def write(self, item: Any) -> None:
        """Write one result."""
        if self._layout.line is not None:
            _print_parts(self._layout.line(item))


def _print_parts(parts: Iterable[Part]) -> None:
    """Write a line: on a terminal with its styles, elsewhere as plain text."""
    if not sys.stdout.isatty():
        print_line("".join(text for text, _ in parts).rstrip())
        return
    from rich.text import Text

    line = Text.assemble(*parts)
    line.rstrip()
    print_styled(line)


class OutputFormat(StrEnum):
    """The formats of `--output`, each with its renderer."""

    TABLE = "table", TableRenderer
    JSON = "json", JsonRenderer
    JSONL = "jsonl", JsonLinesRenderer
    CSV = "csv", CsvRenderer
    CSV_RAW = "csv-raw", RawCsvRenderer

    renderer: Callable[[Layout], Renderer]
    is_incremental: bool

    def __new__(cls, name: str, renderer: type[Renderer]) -> Self:
        """Create a member with its renderer."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.renderer = renderer
        member.is_incremental = renderer.is_incremental
        return member


def _csv_line(texts: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(texts)
    return line.getvalue()


def disarm_formula(text: str) -> str:
    """Return CSV text that a spreadsheet takes as text, or as the plain number it is."""
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1'", text)
