"""What feeds a board: the interface between a board and where its presence comes from."""

import asyncio
from collections.abc import Callable, Mapping, Set
from typing import Protocol

from ..errors import PresenceError
from ..models import DisabledFilterInfo, GetPresenceInfo, PresenceChange


class BoardSource(Protocol):
    """The presence that a board shows, and what keeps it up to date."""

    @property
    def records(self) -> Mapping[str, GetPresenceInfo]:
        """The last known presence, by id."""

    @property
    def errors(self) -> Mapping[str, PresenceError]:
        """Why extensions could not be read the last time, by id."""

    @property
    def rejected(self) -> Set[str]:
        """The ids among the errors that RingCentral rejected; they have no record."""

    @property
    def disabled_filters(self) -> tuple[DisabledFilterInfo, ...]:
        """Event filters that RingCentral sends nothing for."""

    @property
    def ready(self) -> asyncio.Event:
        """Set once everything has been read."""

    @property
    def is_live(self) -> bool:
        """Whether events are arriving and no extension is stale."""

    @property
    def age(self) -> float:
        """Seconds since anything was received from RingCentral's events; inf before the first."""

    def includes(self, id_: str) -> bool:
        """Return whether an extension is followed."""

    def is_stale(self, id_: str) -> bool:
        """Return whether the state of an extension may have changed since the record."""

    async def run(self) -> None:
        """Keep the presence up to date, forever.

        Raises:
            ExceptionGroup: a PresenceError that trying again does not help against.
        """


# Makes the source of one board. The first function is called with every change, the second one
# after `rejected` may have changed.
NewSource = Callable[[Callable[[PresenceChange], None], Callable[[], None]], BoardSource]
