"""A read into a board, while it is in progress."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

# Of an account, what somebody invents must not fill the memory.
MAX_LATER = 100_000


@attrs.define(eq=False)
class Reading:
    """A read under way.

    Attributes:
        whole: whether all extensions of the account are read.
        open: the ids whose answers have not come.
        later: by id, what events have told since it began.
        later_at: by id, the time of the last of these events, if it had one.
        unsure: the ids whose calls have to be read again because of these events.
    """

    whole: bool
    open: set[str]
    later: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    later_at: dict[str, datetime] = attrs.field(factory=dict)
    unsure: set[str] = attrs.field(factory=set)

    def keep(
        self, id_: str, told: Mapping[str, Any], at: datetime | None, *, is_unsure: bool
    ) -> bool:
        """Keep what an event says until the read has its result; False if there is no room."""
        if not (self.whole or id_ in self.open):
            return True
        if id_ not in self.later and len(self.later) >= MAX_LATER:
            return False
        self.later.setdefault(id_, {}).update(told)
        if at is not None:
            self.later_at[id_] = at
        if is_unsure:
            self.unsure.add(id_)
        return True
