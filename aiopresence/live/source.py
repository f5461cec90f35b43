"""What feeds a board: the interface between a board and where its presence comes from."""

import asyncio
from collections.abc import Callable, Mapping, Set
from typing import Protocol

import attrs

from ..errors import PresenceError
from ..models import DisabledFilterInfo, GetPresenceInfo, PresenceChange, Resync
from ..protocol.endpoints import ReadOptions
from ..protocol.presence_state import PresenceState
from ..transport.clock import Clock
from .board_feed import BoardFeed


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


OnChange = Callable[[PresenceChange], None]
# Makes the source of one board. The first function is called with every change, the second one
# after `rejected` may have changed.
NewSource = Callable[[OnChange, Callable[[], None]], BoardSource]


@attrs.frozen
class BoardSpec:
    """What makes a board, for a source that several processes share.

    Attributes:
        login: identifies the server, the app and the user; None for a bare access token.
        ids: the extensions; None for all of the account.
        options: the account, and what to read.
        new_feed: makes a BoardFeed that keeps a PresenceState current.
        clock: the source of time.
        resynced: reports that changes may have been missed.
    """

    login: str | None
    ids: frozenset[str] | None
    options: ReadOptions
    new_feed: Callable[[PresenceState, OnChange, Callable[[], None]], BoardFeed]
    clock: Clock
    resynced: Callable[[Resync], None]

    def new_state(self) -> PresenceState:
        """Return the state of the board while nothing is known."""
        return PresenceState(self.ids, detailed=self.options.has_calls)


class SharedBoard(Protocol):
    """What `session.board` accepts as `shared`."""

    def new_source(
        self, spec: BoardSpec, on_change: OnChange, after_read: Callable[[], None]
    ) -> BoardSource:
        """Return the source of one board; see NewSource.

        Raises:
            UsageError: the board cannot be shared.
        """
