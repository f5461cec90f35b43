"""Read TOML files of settings; errors state the line, and never quote it: it may be a secret."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from .. import UsageError
from .files import MAX_SETTINGS_BYTES, read_text, reason

# Where tomllib has found an error, at the end of its message.
_PLACE = re.compile(r"at (line \d+, column \d+|end of document)\)$")
_HEADER = re.compile(r"\s*\[([^\[\]]+)\]")
_KEY = re.compile(r"\s*([^=#\[\]]+?)\s*=")
_QUOTES_AND_SPACES = re.compile(r"[\"'\s]")


@attrs.frozen
class Tables:
    """The tables of a file whose names begin with the same word, such as [profile.NAME].

    Attributes:
        file: the file.
        kind: the first part of their names, such as "profile".
        by_name: what the file has under each name, in its order; empty if there is no file.
        text: the content of the file.
    """

    file: Path
    kind: str
    by_name: Mapping[str, object] = attrs.field(factory=dict, repr=False)
    text: str = attrs.field(default="", repr=False)

    def place(self, name: str, key: str | None = None) -> str:
        """Return the file and the line of a table or of a key in it, for the start of an error."""
        table = f"{self.kind}.{name}"
        line = _line_of(self.text, table if key is None else f"{table}.{key}")
        return _place(self.file, line or _line_of(self.text, table))


def read_tables(file: Path, kind: str, longest: int = MAX_SETTINGS_BYTES) -> Tables:
    """Return the tables such as [profile.default] of a TOML file; none if it is missing.

    Args:
        file: the file.
        kind: the first part of their names, such as "profile".
        longest: the bytes of the longest file that is read.

    Raises:
        UsageError: the file cannot be read, or has anything else.
    """
    try:
        text = read_text(file, longest)
        content = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return Tables(file, kind)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        raise UsageError(f"{file}{f', {place[1]}' if place else ''}: not valid TOML") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read {file}: {reason(error)}") from None
    tables = content.pop(kind, {})
    if content or not isinstance(tables, dict):
        unexpected = [*content] or [kind]
        where = _place(file, _line_of(text, unexpected[0]))
        raise UsageError(f"{where}: unexpected {', '.join(unexpected)}; use [{kind}.NAME]")
    return Tables(file, kind, tables, text)


def _place(file: Path, line: int | None) -> str:
    return str(file) if line is None else f"{file}, line {line}"


def _line_of(text: str, path: str) -> int | None:
    """Return the number of the first line with a table or key, or with anything in it.

    None if it is not found: it may be in an inline table, or be written with escapes.
    """
    found = (n for n, each in _paths(text) if each == path or each.startswith(f"{path}."))
    return next(found, None)


def _paths(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number of each line with a table or a key, and its full name."""
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            table = _QUOTES_AND_SPACES.sub("", header[1])
            yield number, table
        elif key := _KEY.match(line):
            yield number, f"{table}.{_QUOTES_AND_SPACES.sub('', key[1])}".removeprefix(".")
