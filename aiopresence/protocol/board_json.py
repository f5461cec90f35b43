"""What processes tell each other about a board, as JSON.

Records have RingCentral's field names. Whatever is read may have been written by anybody: wrong
types and long texts are a DecodeError, and no class is looked up by a name from outside.
"""

from datetime import datetime
from typing import Any

import attrs

from ..errors import DecodeError, PresenceError
from ..models import ChangeSource, DisabledFilterInfo, GetPresenceInfo
from .decoding import dump, load
from .error_values import ErrorValues, from_error, to_error

# The longest JSON of one extension, in bytes: a record with seven detailed calls has about 7,000.
MAX_ENTRY = 65_536
# Ids that are named as stale, at most; if there are more, everything is said to be.
MAX_STALE = 100
# The longest JSON of a status, in bytes. 2,000 disabled filters have about 400,000.
MAX_STATUS = 1_000_000


@attrs.frozen(weakref_slot=False)
class _Entry:
    record: GetPresenceInfo | None = None
    error: ErrorValues | None = None
    rejected: bool | None = None
    source: str | None = None
    time: datetime | None = None


@attrs.frozen(weakref_slot=False)
class _Status:
    following: bool | None = None
    live: bool | None = None
    ready: bool | None = None
    stale: tuple[str, ...] | None = None
    disabled_filters: tuple[DisabledFilterInfo, ...] | None = None
    error: ErrorValues | None = None


@attrs.frozen
class BoardEntry:
    """The state of one extension.

    Attributes:
        record: its presence; None if it is not on the board.
        error: why it could not be read the last time.
        is_rejected: whether RingCentral rejected it.
        source: how the record was found.
        time: when.
    """

    record: GetPresenceInfo | None
    error: PresenceError | None
    is_rejected: bool
    source: ChangeSource
    time: datetime


@attrs.frozen
class BoardStatus:
    """The state of a board as a whole.

    Attributes:
        is_following: whether events arrive and none is known to be missing.
        is_live: whether, besides, no extension is stale.
        is_ready: whether everything has been read.
        stale: the extensions that may have changed since; None if that may be all.
        disabled_filters: event filters that RingCentral sends nothing for.
        error: why the board has ended; None while it has not.
    """

    is_following: bool = False
    is_live: bool = False
    is_ready: bool = False
    stale: frozenset[str] | None = None
    disabled_filters: tuple[DisabledFilterInfo, ...] = ()
    error: PresenceError | None = None


def dump_entry(entry: BoardEntry) -> bytes:
    """Return the state of an extension as JSON."""
    error = from_error(entry.error)
    rejected = entry.is_rejected or None
    return dump(_Entry(entry.record, error, rejected, entry.source.value, entry.time))


def load_entry(data: bytes) -> BoardEntry:
    """Return the state of an extension from JSON; DecodeError if it is not one."""
    entry = _load(data, _Entry, MAX_ENTRY)
    if entry.time is None or entry.source not in {*ChangeSource}:
        raise DecodeError("no state of an extension")
    return BoardEntry(
        entry.record,
        to_error(entry.error),
        entry.rejected is True,
        ChangeSource(entry.source),
        entry.time,
    )


def dump_status(status: BoardStatus) -> bytes:
    """Return the state of a board as JSON."""
    return dump(
        _Status(
            status.is_following,
            status.is_live,
            status.is_ready,
            None if status.stale is None else tuple(sorted(status.stale)),
            status.disabled_filters or None,
            from_error(status.error),
        )
    )


def status_of(data: bytes) -> BoardStatus:
    """Return the state of a board from JSON. If it cannot be read, nothing is certain."""
    try:
        status = _load(data, _Status, MAX_STATUS)
    except DecodeError:
        return BoardStatus()
    return BoardStatus(
        status.following is True,
        status.live is True,
        status.ready is True,
        None if status.stale is None else frozenset(status.stale),
        status.disabled_filters or (),
        to_error(status.error),
    )


def _load(data: bytes, cls: Any, longest: int) -> Any:
    if len(data) > longest:
        raise DecodeError(f"longer than {longest:,} bytes")
    return load(data, cls)
