"""A read that is in progress, and the events that arrive meanwhile."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

from ..models import ActiveCallInfo, GetPresenceInfo

# Of a whole account, events about ids that somebody invents must not fill the memory.
MAX_EVENTS = 100_000


@attrs.define(eq=False)
class PendingRead:
    """A read in progress.

    Attributes:
        is_full: whether all extensions of the account are read.
        pending: the ids whose results have not come yet, as keys: copying the dict of the records
            takes a fraction of the time that a set of its keys takes.
        changed: by id, the fields of the events since it began.
        changed_at: by id, the time of the last of these events, if it had one.
        uncertain: the ids that have to be read again because of these events.
        overtaken: the ids that another read has brought meanwhile.
    """

    is_full: bool
    pending: dict[str, object]
    changed: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    changed_at: dict[str, datetime] = attrs.field(factory=dict)
    uncertain: set[str] = attrs.field(factory=set)
    overtaken: set[str] = attrs.field(factory=set)

    def record_event(
        self, id_: str, fields: Mapping[str, Any], at: datetime | None, *, is_uncertain: bool
    ) -> bool:
        """Keep the fields of an event, to be merged into the result of the read.

        Args:
            id_: the extension.
            fields: what the event changes.
            at: the server's time in the event, if it has one.
            is_uncertain: whether the extension has to be read again.

        Returns:
            False if it could not be kept, because there are too many.
        """
        if not (self.is_full or id_ in self.pending):
            return True
        if id_ not in self.changed and len(self.changed) >= MAX_EVENTS:
            return False
        self.changed.setdefault(id_, {}).update(fields)
        if at is not None:
            self.changed_at[id_] = at
        if is_uncertain:
            self.uncertain.add(id_)
        return True


def known_calls(
    id_: str, record: GetPresenceInfo | None, reads: Iterable[PendingRead]
) -> tuple[ActiveCallInfo, ...] | None:
    """Return the calls of an extension: those of its record, or else of the events during reads.

    None if they are not known.
    """
    if record is not None:
        return record.active_calls
    for read in reads:
        if "active_calls" in (fields := read.changed.get(id_, {})):
            return fields["active_calls"]  # type: ignore[no-any-return]
    return None
