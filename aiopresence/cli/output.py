"""Results on standard output: a table, JSON, JSON lines, or CSV.

JSON has RingCentral's own names. A table and CSV have the columns that a command chose.
"""

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any

import attrs

from . import table
from .options import Output
from .table import Column

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
    """Write a value for a table or CSV: on one line, and nothing that steers a terminal."""
    if isinstance(value, bool):
        return str(value).lower()
    text = "" if value is None else str(plain(value))
    return "".join(c if c.isprintable() else "?" for c in text)


def document_text(value: Any, indent: int | None = None) -> str:
    """Write JSON. What could steer a terminal is escaped, as JSON allows for any character."""
    only_ascii = not (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(value, ensure_ascii=only_ascii, indent=indent)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


@cache
def console() -> Any:
    """Give the terminal that standard output is: one, so that rows stay above a bar."""
    from rich.console import Console

    return Console(highlight=False)


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
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Names are in all languages, and not every terminal can show all of them.
            sys.stdout.reconfigure(errors="backslashreplace")
        self._widths = table.full(self._columns)
        if self._terminal and output is Output.TABLE:
            self._widths = table.fit(self._columns, console().width)

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
        elif self._output is Output.CSV:
            self._print(_csv_line(self._names))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._begin()
        if self._output is Output.JSON and kind is None:
            self._print(document_text(self._documents, 2))

    def write(self, item: Any) -> None:
        """Write one result, at once."""
        self._begin()
        if self._output is Output.JSON:
            self._documents.append(self._document(item))
        elif self._output is Output.JSONL:
            self._print(document_text(self._document(item)))
        else:
            texts = [cell(value) for value in self._row(item)]
            if self._output is Output.CSV:
                self._print(_csv_line(texts))
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
            self._print(table.joined([text for text, _ in parts]))
            return
        from rich.text import Text

        line = Text(table.GAP).join(Text(text, style) for text, style in parts)
        line.rstrip()
        console().print(line, soft_wrap=True)

    def _print(self, text: str) -> None:
        if self._terminal:
            from rich.text import Text

            console().print(Text(text), soft_wrap=True)
        else:
            # At once, so that whoever reads it has it, or we learn that they have enough.
            print(text, flush=True)


def _csv_line(texts: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(texts)
    return line.getvalue()
