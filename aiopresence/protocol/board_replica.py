"""A copy of a board that another process follows.

Theory: the follower gives each state that it publishes a version, which grows. A copy takes the
states in any order, from a snapshot and from a stream of changes at once, and keeps for each
extension the one with the highest version. So it never goes back, and is complete once it has a
snapshot and every change since that was begun. Each entry of the stream names the one before it,
which shows whether any is missing.

All of it comes from outside, so nothing is taken for granted: what cannot be read leaves the last
known state in place, and stale.
"""

import re
from collections.abc import Collection, Set
from datetime import datetime

from ..errors import DecodeError, PresenceError
from ..ids import is_id
from ..models import ChangeSource, GetPresenceInfo, PresenceChange
from .board_json import BoardEntry, BoardStatus, load_entry, status_of
from .event_filters import disabled_extensions

# The fence of a follower, and the number of what it published.
Version = tuple[int, int]
NEVER: Version = (0, 0)

_VERSION = re.compile(rb"([0-9]{1,16})-([0-9]{1,16})")


def parse_version(text: object) -> Version | None:
    """Return a version from its text; None if it is not one."""
    match = _VERSION.fullmatch(text) if isinstance(text, bytes) else None
    return (int(match[1]), int(match[2])) if match else None


def format_version(version: Version) -> str:
    """Return the text of a version; empty for NEVER."""
    return "" if version == NEVER else f"{version[0]}-{version[1]}"


class BoardReplica:
    """A copy of a board.

    Args:
        ids: the extensions of the board; None for all of the account.

    Attributes:
        records: the known state, by id.
        errors: why an extension could not be read the last time, by id.
        rejected: the ids among them that RingCentral rejected.
        unreadable: the ids whose state could not be read from what was published.
        status: the state of the board as a whole.
        position: the version of the last entry of the stream.
    """

    def __init__(self, ids: Collection[str] | None) -> None:
        self.records: dict[str, GetPresenceInfo] = {}
        self.errors: dict[str, PresenceError] = {}
        self.rejected: set[str] = set()
        self.unreadable: set[str] = set()
        self.status = BoardStatus()
        self.position = NEVER
        self._ids = None if ids is None else frozenset(ids)
        self._versions: dict[str, Version] = {}
        self._disabled = frozenset[str]()

    def includes(self, id_: str) -> bool:
        """Return whether an extension is followed."""
        return is_id(id_) if self._ids is None else id_ in self._ids

    def is_stale(self, id_: str) -> bool:
        """Return whether the state of an extension may have changed, as far as is known here."""
        status = self.status
        return (
            not status.is_following
            or id_ not in self.records
            or id_ in self.unreadable
            or status.stale is None
            or id_ in status.stale
            or id_ in self._disabled
        )

    def follows(self, before: bytes | None, version: Version) -> bool:
        """Return whether an entry of the stream is the next one: it names the one before it."""
        return version > self.position and before == format_version(self.position).encode()

    def advance(self, version: Version, status: bytes) -> None:
        """Record that everything up to an entry is known, and the status in it, if any."""
        self.position = version
        if status:
            self.status = status_of(status)
        if version[1] == 0:
            self._follower_changed()
        self._disabled = disabled_extensions(self.status.disabled_filters)

    def _follower_changed(self) -> None:
        """Record that nothing is certain until the follower, perhaps a new one, says more."""
        ready, filters = self.status.is_ready, self.status.disabled_filters
        self.status = BoardStatus(is_ready=ready, disabled_filters=filters)

    def apply(
        self, id_: str, version: Version, data: bytes, time: datetime
    ) -> PresenceChange | None:
        """Apply the state of an extension, unless it is older; return the change that it makes.

        Args:
            id_: the extension.
            version: the version of the state.
            data: the state as JSON; empty if the extension is gone.
            time: the local time.
        """
        if version <= self._versions.get(id_, NEVER) or not self.includes(id_):
            return None
        try:
            entry = load_entry(data) if data else _gone(time)
        except DecodeError:
            self.mark_unreadable(id_)
            return None
        self._versions[id_] = version
        self.unreadable.discard(id_)
        return self._set(id_, entry)

    def mark_unreadable(self, id_: str) -> None:
        """Record that the state of an extension cannot be read; its last known state stays."""
        if self.includes(id_):
            self.unreadable.add(id_)

    def retain(self, present: Set[str], time: datetime) -> list[PresenceChange]:
        """Remove all extensions but those in a snapshot; return the changes."""
        self.unreadable &= present
        missing = [id_ for id_ in self._versions if id_ not in present]
        changes = [self._set(id_, _gone(time)) for id_ in missing]
        for id_ in missing:
            del self._versions[id_]
        return [change for change in changes if change is not None]

    def _set(self, id_: str, entry: BoardEntry) -> PresenceChange | None:
        old = self.records.pop(id_, None) if entry.record is None else self.records.get(id_)
        if entry.record is not None:
            self.records[id_] = entry.record
        self.errors.pop(id_, None)
        self.rejected.discard(id_)
        if entry.error is not None:
            self.errors[id_] = entry.error
            if entry.is_rejected:
                self.rejected.add(id_)
        if entry.record == old:
            return None
        return PresenceChange(id_, old, entry.record, entry.source, entry.time)


def _gone(time: datetime) -> BoardEntry:
    return BoardEntry(None, None, False, ChangeSource.ACCOUNT, time)
