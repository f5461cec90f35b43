"""Results on standard output: a table, JSON, JSON lines, or CSV.

JSON has RingCentral's own names. A table and CSV have the columns that a command chose.
"""

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

import attrs

from ..escaping import escaped
from . import columns as table, console
from .columns import Column
from .console import show, show_json, show_styled
from .options import Output

Row = Mapping[str, Any]

# Colours of statuses, wherever they are shown.
STYLES = {
    "Available": "green",
    "Busy": "yellow",
    "Offline": "dim",
    "Ringing": "bold yellow",
    "CallConnected": "yellow",
    "OnHold": "magenta",
    "DoNotAcceptAnyCalls": "red",
    "DND": "red",
    "✓": "green",
    "✗": "bold red",
}


# What makes a spreadsheet run a cell as a formula, at its beginning or, where columns end with a
# semicolon, after one. Spaces and quotes before it are dropped by some.
_FORMULA = re.compile(r"(^|;)(?=[\s\"']*[=+\-@\uff1d\uff0b\uff0d\uff20])")
# Numbers, as of telephones, are no formulas.
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)


def plain(value: Any) -> Any:
    """Turn a record into what JSON can hold, under RingCentral's names, without what is None."""
    if attrs.has(type(value)):
        fields = ((f.name, getattr(value, f.name)) for f in attrs.fields(type(value)))
        return {camel(name): plain(item) for name, item in fields if item is not None}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value


def camel(name: str) -> str:
    """Give RingCentral's name of a field."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def cell(value: Any) -> str:
    """Return the text of a value for a table or CSV: on one line, without control characters."""
    return escaped(text_of(value))


def text_of(value: Any) -> str:
    """Return a value as text: a record or a list as JSON, whose texts stay as they are."""
    shown = plain(value)
    if isinstance(shown, (dict, list, bool)):
        return json.dumps(shown, ensure_ascii=False)
    return "" if shown is None else str(shown)


def document_text(value: Any, indent: int | None = None) -> str:
    """Return JSON that standard output can hold."""
    only_ascii = not (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(value, ensure_ascii=only_ascii, indent=indent)


class Writer:
    """Writes rows as they come; use it with `with`.

    Args:
        output: in which form.
        columns: the columns of a table or CSV; a number is a Column of that width. A column
            "error" has no place of its own in a table: an error stands there instead of whatever
            could not be read.
        row: makes the cells of what is written.
        document: makes the JSON of what is written.
    """

    def __init__(
        self,
        output: Output,
        columns: Mapping[str, int | Column],
        row: Callable[[Any], Sequence[Any]],
        document: Callable[[Any], Any] = plain,
    ) -> None:
        self._output = output
        self._names = list(columns)
        self._columns = {
            name: Column(column) if isinstance(column, int) else column
            for name, column in columns.items()
            if name != "error"
        }
        self._row = row
        self._document = document
        self._documents: list[Any] = []
        self._has_begun = False
        self._terminal = sys.stdout.isatty()
        self._widths = table.full(self._columns)
        if self._terminal and output is Output.TABLE:
            self._widths = table.fit(self._columns, console.terminal().width)

    def __enter__(self) -> "Writer":
        return self

    def _begin(self) -> None:
        """Write the header, once there is something under it or it is sure that nothing comes."""
        if self._has_begun:
            return
        self._has_begun = True
        if self._output is Output.TABLE:
            headings = {n: (c.heading or n).upper() or " " for n, c in self._columns.items()}
            self._print_row(headings, "bold")
        elif self._output in (Output.CSV, Output.CSV_RAW):
            show(_csv_line(self._names))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._begin()
        if self._output is Output.JSON and kind is None:
            show_json(document_text(self._documents, 2))

    def write(self, item: Any) -> None:
        """Write one result, at once."""
        self._begin()
        if self._output is Output.JSON:
            self._documents.append(self._document(item))
        elif self._output is Output.JSONL:
            show_json(document_text(self._document(item)))
        else:
            texts = [cell(value) for value in self._row(item)]
            if self._output is Output.CSV:
                show(_csv_line([_not_a_formula(text) for text in texts]))
            elif self._output is Output.CSV_RAW:
                show(_csv_line(texts))
            else:
                self._print_row(dict(zip(self._names, texts, strict=True)))

    def _print_row(self, texts: dict[str, str], style: str = "") -> None:
        error = texts.pop("error", "")
        parts = []
        for name, width in self._widths.items():
            if error and not texts[name]:
                break
            text = texts[name] or "-"
            if self._terminal and width < self._columns[name].width:
                text = table.cut(text, width)
            parts.append((table.pad(text, width), style or STYLES.get(texts[name], "")))
        self._print_parts([*parts, (error, "red")])

    def _print_parts(self, parts: list[tuple[str, str]]) -> None:
        if not self._terminal:
            show(table.joined([text for text, _ in parts]))
            return
        from rich.text import Text

        line = Text(table.GAP).join(Text(text, style) for text, style in parts)
        line.rstrip()
        show_styled(line)


def _csv_line(texts: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(texts)
    return line.getvalue()


def _not_a_formula(text: str) -> str:
    """Return a CSV cell that a spreadsheet takes as text, or as the plain number it is."""
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1'", text)
