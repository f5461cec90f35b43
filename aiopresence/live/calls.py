"""The calls of a session that follow presence."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime, timedelta
from functools import partial

from ..bulk import BulkCalls
from ..errors import UsageError
from ..filters import account_presence, extension_presence
from ..ids import Id, parse_id_set
from ..models import PresenceChange, PresenceEvent, Resync
from ..models.validation import seconds
from ..protocol.event_parsing import check_filters
from ..protocol.presence_state import PresenceState
from ..protocol.rate_limits import GroupLimits
from ..transport.clock import Clock
from ..transport.event_connection import EventConnection
from ..transport.instrumentation import Instrumentation
from .board import PresenceBoard
from .events import events
from .polling import poll
from .snapshot import SnapshotReader

# So many filters have been seen in one subscription. Who follows more follows the account.
MAX_FILTERS = 2000


class LiveCalls(BulkCalls):
    """Events, the board, and polling."""

    _clock: Clock

    def __init__(
        self,
        account_id: str,
        server: str,
        batch_format: str,
        concurrency: int,
        instrumentation: Instrumentation,
    ) -> None:
        super().__init__(account_id, server, batch_format, concurrency, instrumentation)
        # The tasks that follow events.
        self._live: set[asyncio.Task[None]] = set()

    @property
    @abstractmethod
    def limits(self) -> dict[str, GroupLimits]:
        """What is known of each usage-plan group."""

    @abstractmethod
    def _socket(self, event_filters: tuple[str, ...]) -> EventConnection:
        """Make an event session."""

    @abstractmethod
    def _server_time(self) -> tuple[datetime, datetime] | None:
        """Return the server's time and ours when it last answered; None if it did not say."""

    def events(
        self, event_filters: Iterable[str] | None = None, *, detailed: bool = False
    ) -> AsyncGenerator[PresenceEvent | Resync, None]:
        """Follow presence events, for as long as it is iterated.

        It connects again after every fault that may pass, and continues where it was if
        RingCentral lets it. Each event is given once. Where some may be missing, a `Resync` stands
        in their place. Up to 10,000 events wait for a slow user; what comes then is dropped, and a
        Resync says how much.

        Each call has a connection of its own. Iterate inside `contextlib.aclosing`, so that it
        ends where the iteration does.

        Args:
            event_filters: what to follow, such as `[filters.call_queue_presence(id)]`; None for
                the presence of all extensions of the session's account.
            detailed: with the calls, if no filters are given.

        Raises:
            UsageError: an argument is wrong: at once.
            PermissionDenied: a filter, or events at all, are not allowed. They need the permission
                WebSocketsSubscription, and those that `filters` names.
            InvalidRequest: a filter is wrong.
            AuthError: the credentials or the token were refused.
            SessionLost: the session was closed.

        Source: RingCentral guide, "WebSockets".
        """
        if event_filters is None:
            account = self.account_id
            event_filters = [account_presence(detailed=detailed, account_id=account)]
        return events(self._socket(check_filters(event_filters)), self._live, self._check_open)

    def board(
        self,
        extension_ids: Iterable[Id] | None = None,
        *,
        detailed_telephony_state: bool = False,
        sip_data: bool = False,
        refresh: float | timedelta | None = 3600.0,
    ) -> PresenceBoard:
        """Keep the presence of many extensions at hand, and true: `async with session.board() …`.

        Args:
            extension_ids: whose, but not "~"; None for all of the session's account. Events of
                single extensions need the permission ReadPresence, those of all ReadAccounts,
                which is what is followed for more than 2,000 ids, too. Ids that cannot be read
                are in the board's `errors`.
            detailed_telephony_state: with the calls.
            sip_data: with their SIP data, and so with the calls.
            refresh: seconds, or a timedelta, after which everything is read again, which mends
                what no event told, such as a changed message. None never does.

        Raises:
            UsageError: an argument is wrong. What the board itself raises, it says.
        """
        _check_flags(detailed_telephony_state, sip_data)
        ids = None if extension_ids is None else parse_id_set(extension_ids)
        every = float("inf") if refresh is None else seconds("refresh", refresh)
        detailed, account = detailed_telephony_state, self.account_id

        def connect(without: frozenset[str]) -> EventConnection:
            if ids is None or len(ids) > MAX_FILTERS:
                whole = account_presence(detailed=detailed, sip_data=sip_data, account_id=account)
                return self._socket((whole,))
            each = partial(
                extension_presence, detailed=detailed, sip_data=sip_data, account_id=account
            )
            return self._socket(tuple(each(id_) for id_ in sorted(ids - without)))

        reader = self._reader(ids, detailed, sip_data)
        return PresenceBoard(connect, reader, every, self._live, self._check_open)

    def poll(
        self,
        extension_ids: Iterable[Id] | None = None,
        *,
        interval: float | timedelta | None = None,
        detailed_telephony_state: bool = False,
        sip_data: bool = False,
    ) -> AsyncGenerator[PresenceChange, None]:
        """Follow presence by reading it again and again, where events are not allowed.

        Each round reads in batches or by pages of the account, whichever the limits let through
        sooner; the source of a change tells, and so does the log when that changes. The first
        round gives every extension, as a change from None.

        Args:
            extension_ids: whose, but not "~"; None for all of the session's account. Ids that
                cannot be read are told in the log.
            interval: seconds, or a timedelta, from the beginning of a round to that of the next;
                None for the shortest that the limits sustain.
            detailed_telephony_state: with the calls.
            sip_data: with their SIP data, and so with the calls.

        Yields:
            What has changed.

        Raises:
            UsageError: an argument is wrong: at once.
            PermissionDenied: presence may not be read.
            AuthError: the credentials or the token were refused. Other errors are tried again.
        """
        _check_flags(detailed_telephony_state, sip_data)
        ids = None if extension_ids is None else parse_id_set(extension_ids)
        every = None if interval is None else seconds("interval", interval)
        return poll(self._reader(ids, detailed_telephony_state, sip_data), ids, every)

    def _reader(self, ids: frozenset[str] | None, detailed: bool, sip_data: bool) -> SnapshotReader:
        board = PresenceState(ids, detailed=detailed or sip_data)
        limits, server_time = lambda: self.limits, self._server_time
        return SnapshotReader(self, limits, board, self._clock, server_time, detailed, sip_data)

    async def _end_live(self) -> None:
        """End whatever follows events."""
        tasks = [*self._live]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _check_flags(detailed: bool, sip_data: bool) -> None:
    for name, value in (("detailed_telephony_state", detailed), ("sip_data", sip_data)):
        if not isinstance(value, bool):
            raise UsageError(f"{name} must be True or False, not {type(value).__name__}")
