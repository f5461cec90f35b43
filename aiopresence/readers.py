"""What a session reads many extensions with: batches, pages of the account, its directory."""

from typing import Self

import attrs

from .account_reader import AccountReader
from .bulk import BatchReader
from .concurrency import AHEAD
from .directory_reader import DirectoryReader
from .protocol.endpoints import ReadOptions
from .protocol.read_plan import RoutePlan, plan_route
from .transport.clock import Clock
from .transport.instrumentation import Instrumentation
from .transport.requester import Requester


@attrs.define
class Readers:
    """What reads, and what is known of the account.

    Attributes:
        batch_reader: reads batches.
        account_reader: reads pages.
        directory_reader: reads the directory.
        concurrency: how many requests may be in flight.
        clock: the source of time.
        pages: the number of pages of the account; None if it is not known.
    """

    batch_reader: BatchReader
    account_reader: AccountReader
    directory_reader: DirectoryReader
    concurrency: int
    clock: Clock
    pages: int | None = None

    @classmethod
    def create(
        cls,
        requester: Requester,
        instrumentation: Instrumentation,
        batch_format: str,
        concurrency: int,
    ) -> Self:
        """Return the readers of a session.

        Raises:
            UsageError: there is no such batch format.
        """
        limit = AHEAD * concurrency
        return cls(
            BatchReader(requester, instrumentation, batch_format=batch_format, limit=limit),
            AccountReader(requester, instrumentation, limit=limit),
            DirectoryReader(requester),
            concurrency,
            instrumentation.clock,
        )

    def plan(self, ids: int, pages: int, options: ReadOptions) -> RoutePlan:
        """Return the fastest way to read so many ids of an account with so many more pages."""
        page_wait = self.account_reader.forecast(options)
        return plan_route(
            ids, pages, page_wait, self.batch_reader.forecast(options), self.concurrency
        )
