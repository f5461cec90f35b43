"""Extension, account and call queue ids: their types, and every check of an id from a caller.

RingCentral's ids are 64-bit integers. Arguments take them as str or int; inside the library and in
records they are always str. An id is checked before it is put into a URL, so that no caller can
inject a path.
"""

import re
from collections.abc import AsyncIterable, Generator, Iterable, Sequence
from typing import Annotated

from .errors import UsageError, short_repr

# An id as an argument.
Id = str | int
Ids = Iterable[Id] | AsyncIterable[Id]
# An id in a record. RingCentral sends some ids as integers and some as strings; the annotation
# marks the only str fields for which the decoder accepts an integer.
RecordId = Annotated[str, "id"]

# Ids handled in one turn of the event loop: about a millisecond of work. A guess.
IDS_PER_SLICE = 1000

# A 64-bit integer has at most 19 digits. Leading zeros are refused: "007" would be the same
# extension as "7", and the id in the response would not match it.
_ID = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def is_id(text: str) -> bool:
    """Return whether a text is the id of one extension."""
    return bool(_ID.fullmatch(text))


def parse_id(value: object, name: str, index: int | None = None, *, tilde: bool = False) -> str:
    """Check an id and return it as str.

    Args:
        value: the id, a str or int of digits.
        name: the argument's name, for the message.
        index: the position of the id in that argument; None for a single id.
        tilde: also accept "~", which stands for the caller's own extension or account.

    Raises:
        UsageError: `value` is not an id.
    """
    if type(value) is str and _ID.fullmatch(value):
        return value
    if tilde and isinstance(value, str) and str.__eq__(value, "~"):
        return "~"
    text = str(value) if type(value) is int and 0 <= value < 10**19 else value
    # Return what was matched: a subclass of str may convert to another text later.
    if isinstance(text, str) and (match := _ID.fullmatch(text)):
        return match[0]
    position = "" if index is None else f"[{index}]"
    allowed = "digits or '~'" if tilde else "digits"
    raise UsageError(f"{name}{position} must be {allowed}, as str or int, not {short_repr(value)}")


def check_id_iterable(ids: object, *, allow_async: bool = False) -> None:
    """Check that `ids` is an iterable of ids and not one id, whose digits would be taken for ids.

    Args:
        ids: the argument.
        allow_async: also accept an async iterable.

    Raises:
        UsageError: it is a str, bytes, not iterable, or an async iterable where none is accepted.
    """
    if isinstance(ids, (str, bytes, bytearray)) or not isinstance(ids, (Iterable, AsyncIterable)):
        raise UsageError("extension_ids must be an iterable of ids, such as [id]")
    if not allow_async and not isinstance(ids, Iterable):
        raise UsageError("only the iter_ methods accept an async iterable of ids")


def parse_ids(ids: Sequence[Id]) -> Generator[None, None, tuple[list[str], dict[str, None]]]:
    """Check ids in slices; run it with `concurrency.run_cooperatively`.

    Returns:
        All ids as str, in order; and the same without duplicates, as the keys of a dict.

    Raises:
        UsageError: an id is neither digits nor "~".
    """
    parsed: list[str] = []
    unique: dict[str, None] = {}
    for start in range(0, len(ids), IDS_PER_SLICE):
        chunk = enumerate(ids[start : start + IDS_PER_SLICE], start)
        parsed += [parse_id(id_, "extension_ids", index, tilde=True) for index, id_ in chunk]
        unique |= dict.fromkeys(parsed[start:])
        yield
    return parsed, unique


def parse_id_set(ids: Iterable[Id]) -> frozenset[str]:
    """Check the ids that a board or a poll follows, and return them as str.

    Raises:
        UsageError: an id is not digits ("~" is not accepted), or there are none.
    """
    check_id_iterable(ids)
    parsed = frozenset(parse_id(id_, "extension_ids", index) for index, id_ in enumerate(ids))
    if not parsed:
        raise UsageError("extension_ids is empty; pass None to follow the whole account")
    return parsed
