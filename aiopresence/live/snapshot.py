"""Reading what a board is to know, by batches or by pages of the account."""

from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from datetime import UTC, datetime

import attrs

from ..bulk import BulkCalls
from ..errors import DecodeError
from ..models import ChangeSource, PresenceChange
from ..protocol.presence_state import Board
from ..protocol.rate_limits import GroupLimits
from ..protocol.retry import Backoff
from ..transport.clock import Clock, chance

# Between reads that fail.
_BACKOFF = Backoff(first=2.0, longest=120.0, jitter=0.5)


@attrs.frozen
class Reader:
    """Reads into a board.

    Attributes:
        calls: what reads.
        limits: tells what is known of the groups.
        board: what is read into.
        clock: what dates the changes.
        server_time: returns the server's time and ours when it last answered; None if unknown.
        detailed: whether to read calls.
        sip_data: whether to read their SIP data.
    """

    calls: BulkCalls
    limits: Callable[[], Mapping[str, GroupLimits]]
    board: Board
    clock: Clock
    server_time: Callable[[], tuple[datetime, datetime] | None]
    detailed: bool
    sip_data: bool

    async def batches(self, ids: Collection[str]) -> AsyncGenerator[PresenceChange, None]:
        """Read some extensions by their ids, in batches; give what has changed.

        Some that could not be read are no error: the board's `failed` and `errors` have them.

        Raises:
            PresenceError: none could be read, or nothing at all is on the board.
        """
        reading = self.board.begin(ids)
        outcomes = self.calls.iter_user_presence_statuses(
            ids, detailed_telephony_state=self.detailed, sip_data=self.sip_data
        )
        answered, failure, complete = False, None, False
        try:
            async with aclosing(outcomes):
                async for outcome in outcomes:
                    error = outcome.error or DecodeError("an empty answer")
                    answer = error if outcome.value is None else outcome.value
                    source, now = ChangeSource.BATCH, self.now()
                    for change in self.board.put(
                        reading, outcome.id, answer, source, now, of_request=outcome.of_request
                    ):
                        yield change
                    answered = answered or outcome.id not in self.board.failed
                    failure = failure or outcome.error
            complete = True
        finally:
            self.board.end(reading, complete=complete)
        if failure is not None and not (answered and self.board.records):
            self.board.failed.update(dict.fromkeys(ids))
            raise failure

    async def account(self) -> AsyncGenerator[PresenceChange, None]:
        """Read all extensions of the account, page by page; give what has changed.

        Raises:
            PresenceError: a page could not be read.
        """
        reading = self.board.begin()
        records = self.calls.iter_account_presence(
            detailed_telephony_state=self.detailed, sip_data=self.sip_data
        )
        complete = False
        try:
            async with aclosing(records):
                async for record in records:
                    id_ = record.extension.id if record.extension else None
                    if id_ is not None and self.board.includes(id_):
                        source, now = ChangeSource.ACCOUNT, self.now()
                        for change in self.board.put(reading, id_, record, source, now):
                            yield change
            complete = True
        finally:
            self.board.end(reading, complete=complete)

    def now(self) -> datetime:
        """Give this moment."""
        return datetime.fromtimestamp(self.clock.wall(), UTC)


def delay_after(failures: int) -> float:
    """Return the seconds to wait before reading again after some failures in a row."""
    return _BACKOFF.delay(failures, chance())
