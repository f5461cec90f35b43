"""The source of a board that this process feeds: events, and reads of what they leave open."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Set
from contextlib import aclosing

from ..errors import InvalidRequest, NotFound, PresenceError
from ..models import (
    DisabledFilterInfo,
    GetPresenceInfo,
    PresenceChange,
    Resync,
    ResyncReason,
)
from ..protocol.event_filters import disabled_extensions
from ..protocol.event_outputs import Subscribed
from ..protocol.event_timers import MAX_SILENCE
from ..protocol.server_clock import ResponseTime
from ..transport.event_connection import EventConnection, StreamItem
from .refresher import Refresher
from .snapshot import SnapshotReader, delay_after

_log = logging.getLogger("aiopresence")


class BoardFeed:
    """Keeps a PresenceState current: a BoardSource.

    Args:
        connect: returns an event connection for all extensions but those with the given ids.
        reader: reads into the state.
        refresh: seconds after which everything is read again.
        on_change: called with every change.
        after_read: called after every read.

    Attributes:
        connection: the present event connection.
        disabled_filters: the event filters that RingCentral sends nothing for.
        disabled_ids: the ids in these filters.
    """

    def __init__(
        self,
        connect: Callable[[frozenset[str]], EventConnection],
        reader: SnapshotReader,
        refresh: float,
        on_change: Callable[[PresenceChange], None],
        after_read: Callable[[], None],
    ) -> None:
        self._connect = connect
        self.connection = connect(frozenset())
        self.disabled_filters: tuple[DisabledFilterInfo, ...] = ()
        self.disabled_ids = frozenset[str]()
        self._reader = reader
        self._state = reader.state
        self._on_change = on_change
        self._refresher = Refresher(reader, refresh, on_change, after_read)
        # Whether this connection's subscription has been made once.
        self._has_subscribed = False

    @property
    def ready(self) -> asyncio.Event:
        """Set once everything has been read; see `Refresher`."""
        return self._refresher.ready

    @property
    def records(self) -> Mapping[str, GetPresenceInfo]:
        """The last known presence, by id."""
        return self._state.records

    @property
    def errors(self) -> Mapping[str, PresenceError]:
        """Why extensions could not be read the last time, by id."""
        return self._state.errors

    @property
    def rejected(self) -> Set[str]:
        """The ids among the errors that RingCentral rejected."""
        return self._state.rejected

    @property
    def is_following(self) -> bool:
        """Whether events arrive and none is known to be missing."""
        return self.connection.session.is_live

    @property
    def is_live(self) -> bool:
        """Whether events are arriving and no extension is stale."""
        return self.is_following and self._state.is_settled and self.age <= MAX_SILENCE

    @property
    def age(self) -> float:
        """Seconds since anything was received from RingCentral's events; inf before the first."""
        return self._reader.clock.now() - self.connection.session.last_received_at

    def includes(self, id_: str) -> bool:
        """Return whether an extension is followed."""
        return self._state.includes(id_)

    def is_stale(self, id_: str) -> bool:
        """Return whether the state of an extension may have changed since the record."""
        is_followed = self.is_following and id_ not in self.disabled_ids
        return not is_followed or self._state.is_stale(id_)

    async def run(self) -> None:
        """Follow events and read, forever.

        Raises:
            ExceptionGroup: a PresenceError that trying again does not help against.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_events())
            group.create_task(self._refresher.run())

    async def _follow_events(self) -> None:
        excluded = frozenset[str]()
        while True:
            try:
                await self.connection.run(self._apply)
            except (InvalidRequest, NotFound) as refusal:
                # RingCentral refuses all filters of a subscription because of one extension that
                # does not exist, and does not say which.
                included = self._state.ids - excluded
                if self._state.is_account or not await self._any_rejected(included):
                    raise
                excluded = frozenset(self._state.rejected)
                count = len(excluded)
                _log.warning("subscribing without %d unavailable extensions: %s", count, refusal)
                self._reconnect_without(excluded)

    def _reconnect_without(self, excluded: frozenset[str]) -> None:
        previous = self.connection
        self.connection = self._connect(excluded)
        # What has worked before does not end because one of its extensions is gone.
        self.connection.restart_policy = previous.restart_policy
        self._has_subscribed = False

    async def _any_rejected(self, ids: frozenset[str]) -> bool:
        """Read some ids, as often as it takes; return whether one of them was rejected.

        Raises:
            PresenceError: an error that trying again does not help against.
        """
        clock, failures = self._reader.clock, 0
        while True:
            try:
                async with aclosing(self._reader.ids(sorted(ids))) as changes:
                    async for change in changes:
                        self._on_change(change)
            except PresenceError as error:
                least = self._refresher.restart_policy.delay(error, clock.now())
                if least is None:
                    raise
                failures += 1
                wait = max(least, delay_after(failures))
                _log.warning("reading the board failed, retrying in %.0f s: %s", wait, error)
                await clock.wait(asyncio.Event(), wait)
            else:
                return not ids.isdisjoint(self._state.rejected)

    def _apply(self, item: StreamItem) -> None:
        """Apply an item of the event connection, and have read what it makes stale."""
        state = self._state
        if isinstance(item, Subscribed):
            self._apply_subscribed(item)
        elif isinstance(item, Resync):
            if item.reason is ResyncReason.CONNECTION_LOST:
                state.forget_order()
            state.mark_stale()
        elif (change := state.apply(item, self._reader.now())) is not None:
            self._on_change(change)
        if state.all_stale or state.stale or state.unknown_ids:
            self._refresher.work.set()

    def _apply_subscribed(self, item: Subscribed) -> None:
        # The server's time is observed here because the first event may be a late one.
        requested_at = self._reader.time_of(item.requested_at)
        now = self._reader.now()
        self._state.observe_response(ResponseTime(item.connected_at, requested_at, now))
        if (response := self._reader.last_response()) is not None:
            self._state.observe_response(response)
        self.disabled_filters = item.info.disabled_filters or ()
        self.disabled_ids = disabled_extensions(self.disabled_filters)
        if not self._has_subscribed:
            self._has_subscribed = True
            self._state.mark_stale()
