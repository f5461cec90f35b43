"""The errors for texts that stand for no extension, or for several; all of it is safe to print."""

from itertools import chain

from ..errors import LookupFailed, one_line
from ..models import DirectoryEntry

# How many entries a message has, and the longest text that it quotes.
SHOWN, LONGEST = 5, 60


def ambiguous(text: str, matches: list[DirectoryEntry]) -> LookupFailed:
    """Return the error for a text that several entries match equally."""
    message = f"{_quoted(text)} matches {len(matches)} extensions: {_listed(matches)}"
    return LookupFailed(f"{message}; use the id of one of them", text, matches=matches)


def unknown(text: str, near: list[DirectoryEntry]) -> LookupFailed:
    """Return the error for a text that no entry matches, with those that are like it."""
    message = f"no extension is {_quoted(text)}"
    if near:
        message += f"; near matches: {_listed(near)}"
    return LookupFailed(message, text, near=near)


def all_in_one(errors: list[LookupFailed]) -> LookupFailed:
    """Return an error that has all there is in some of them."""
    if len(errors) == 1:
        return errors[0]
    return LookupFailed(
        "; ".join(map(str, errors)),
        ", ".join(error.text for error in errors),
        matches=chain.from_iterable(error.matches for error in errors),
        near=chain.from_iterable(error.near for error in errors),
    )


def _quoted(text: str) -> str:
    return f'"{one_line(text, LONGEST)}"'


def _listed(entries: list[DirectoryEntry]) -> str:
    """Return entries as a message shows them, safe to print."""
    more = f", and {len(entries) - SHOWN} more" if len(entries) > SHOWN else ""
    return ", ".join(map(_shown, entries[:SHOWN])) + more


def _shown(entry: DirectoryEntry) -> str:
    """Return the name, number and id of an entry."""
    name, number = (
        one_line(entry.name or "unnamed", LONGEST),
        one_line(entry.extension_number or "", 20),
    )
    return f"{name} ({number and f'number {number}, '}id {one_line(entry.id, 20)})"
