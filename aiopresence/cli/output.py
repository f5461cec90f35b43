"""Results on standard output: a table, JSON, JSON lines, or CSV.

JSON has RingCentral's own names. A table and CSV have the columns that a command chose.
"""

import csv
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

import attrs

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
    text = "" if value is None else str(plain(value))
    return "".join(c if c.isprintable() else "?" for c in text)


class Writer:
    """Writes rows as they come; use it with `with`.

    Args:
        output: in which form.
        columns: the columns of a table or CSV, with their widths in a table.
        row: makes the cells of what is written.
        document: makes the JSON of what is written.
    """

    def __init__(
        self,
        output: Output,
        columns: Mapping[str, int],
        row: Callable[[Any], Sequence[Any]],
        document: Callable[[Any], Any] = plain,
    ) -> None:
        self._output = output
        self._columns = columns
        self._row = row
        self._document = document
        self._documents: list[Any] = []
        self._lines = csv.writer(sys.stdout, lineterminator="\n")

    def __enter__(self) -> "Writer":
        if self._output is Output.TABLE:
            self._print([name.upper() for name in self._columns], header=True)
        elif self._output is Output.CSV:
            self._lines.writerow(self._columns)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._output is Output.JSON and kind is None:
            print(json.dumps(self._documents, ensure_ascii=False, indent=2))

    def write(self, item: Any) -> None:
        """Write one result."""
        if self._output is Output.JSON:
            self._documents.append(self._document(item))
        elif self._output is Output.JSONL:
            print(json.dumps(self._document(item), ensure_ascii=False))
        elif self._output is Output.CSV:
            self._lines.writerow([cell(value) for value in self._row(item)])
        else:
            self._print([cell(value) or "-" for value in self._row(item)])

    def _print(self, cells: Sequence[str], *, header: bool = False) -> None:
        widths = self._columns.values()
        padded = [f"{text:<{width}}" for text, width in zip(cells, widths, strict=True)]
        if sys.stdout.isatty():
            from rich.text import Text

            style = "bold" if header else ""
            parts = [(p, style or STYLES.get(c, "")) for p, c in zip(padded, cells, strict=True)]
            _console().print(Text(" ").join(Text(p, s) for p, s in parts), soft_wrap=True)
        else:
            print(" ".join(padded).rstrip())


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)
