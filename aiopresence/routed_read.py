"""One read of many ids by pages of the account, in batches, or both.

How the fastest route is found and followed:

1. If even an account that has no other extensions would not be read sooner by pages, everything is
   read in batches (`protocol/read_plan.py`).
2. Otherwise the first page is read. It states how many pages there are, and with the limits as they
   are then, `plan_route` decides how many of them to read and what to leave to batches.
3. Pages that the limits allow at once are read first. While others wait for the limits, batches
   are sent for ids that no page has had yet, also while the first page waits, unless the account is
   known to be read sooner without them. A batch is put together only when it is its turn, because
   its ids may be on a page that comes before that. They are taken from the end, because ids
   are often passed in the order of the account, whose last pages are not to be read. If that is
   wrong, some ids are read twice, more are left than was expected, and it is planned again.
4. A plan without further pages may be made with limits that the server has not stated yet. When the
   limits hold batches up, it is planned again.
5. When each id has its outcome, pages and batches that are left are cancelled.
6. A page that cannot be read is left to the batches. If the user may not list the account, that is
   remembered for the session.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from math import ceil
from typing import Literal

import attrs

from .account_reader import FirstPage
from .concurrency import merge, slices
from .errors import AuthError, NotFound, PresenceError, UsageError
from .models import AccountPresenceInfo, ChangeSource, GetPresenceInfo, PresencePagingInfo
from .protocol import paging
from .protocol.endpoints import ReadOptions
from .protocol.outcome import Outcome, RouteTaken, succeeded
from .protocol.read_plan import PAGE_SIZE, SIMILAR_SECONDS, RoutePlan
from .readers import Readers

_log = logging.getLogger("aiopresence")

Route = Literal["batches", "account", "fastest"]
Presence = Outcome[GetPresenceInfo]

# After so many pages that cannot be read the others are not tried. A guess.
MAX_FAILED_PAGES = 3
# Turns of the event loop after which a batch counts in the forecast for the next one: it has begun,
# has taken the token, and is in the queue for the limits.
TURNS_TO_QUEUE = 4


@attrs.frozen
class OutcomeGroup:
    """Outcomes that came together.

    Attributes:
        outcomes: the outcomes.
        source: how they were read.
    """

    outcomes: Sequence[Presence]
    source: ChangeSource


class RoutedRead:
    """One read of some ids.

    Args:
        readers: what reads.
        ids: the ids.
        options: what to read of each.
        route: the route.

    Attributes:
        route: how the ids are read, as far as is decided; see `BatchResult.route`.
    """

    def __init__(
        self, readers: Readers, ids: Iterable[str], options: ReadOptions, route: Route
    ) -> None:
        self.route: RouteTaken = "account" if route == "account" else "batches"
        self._readers = readers
        self._options = options
        self._is_fastest = route == "fastest"
        self._may_list = route != "batches"
        # The ids without an outcome, in order; and those of them that no page is needed for,
        # because they are in a batch. No page has "~".
        self._wanted = dict.fromkeys(ids)
        self._count = len(self._wanted)
        self._in_batches = {"~"} & self._wanted.keys()
        self._records = paging.new_presence()
        self._pages_ended = asyncio.Event()
        self._batches_may_start = asyncio.Event()
        # Whether pages are being read, or are to be; and whether batches have to wait for the
        # limits, or have all been read.
        self._is_listing = True
        self._batches_wait = asyncio.Event()
        # The pages after the first, if it states how many there are.
        self._more_stated = 0
        # The errors of batches, until no page can have a record instead; and why a page could not
        # be read.
        self._batch_errors: dict[str, Presence] = {}
        self._page_error: PresenceError | None = None
        self._failed_pages = 0

    async def groups(self) -> AsyncGenerator[OutcomeGroup, None]:
        """Read, and yield the outcomes as they come: one for each id.

        Raises:
            AuthError: the credentials or the token were refused.
            UsageError: the session is not open.
        """
        left = self._count
        groups = merge(self._page_groups(), self._batch_groups())
        async with aclosing(groups):
            async for group in groups:
                yield group
                left -= len(group.outcomes)
                if not left:
                    return  # What is still on its way, or waits for the limits, has nothing new.
        for ids in slices([*self._wanted]):
            yield OutcomeGroup(self._errors(ids), ChangeSource.BATCH)
            await asyncio.sleep(0)

    @property
    def _needs_pages(self) -> bool:
        return len(self._in_batches) < len(self._wanted)

    def _plan_first_page(self) -> bool:
        """Return whether to read the first page; let batches start if it has to wait."""
        readers = self._readers
        if not (self._may_list and self._needs_pages):
            return False
        if self._is_fastest:
            plan = self._best_plan(readers.pages or ceil(len(self._wanted) / PAGE_SIZE))
            is_forbidden = readers.account_reader.is_forbidden(self._options)
            if is_forbidden or not plan.pages:
                return False
            page_wait = readers.account_reader.forecast(self._options)
            if page_wait(1) > SIMILAR_SECONDS and (plan.batches or readers.pages is None):
                self._batches_may_start.set()
        return True

    async def _first_page(self) -> FirstPage | None:
        """Return the first page; None if it cannot be read."""
        readers = self._readers
        # Batches that need not wait take less time than another attempt.
        once = self._is_fastest and readers.batch_reader.forecast(self._options)(self._batches) <= 0
        try:
            first = await readers.account_reader.first_page(self._options, once=once)
        except (AuthError, UsageError):
            raise
        except PresenceError as error:
            self._record_page_error(error)
            return None
        return first

    def _plan(self, first: FirstPage) -> RoutePlan:
        """Return how to go on after the first page."""
        left = self._pages_left(first)
        plan = self._best_plan(left) if self._is_fastest else RoutePlan(left, left, 0, 0.0)
        if plan.pages == left and not self._batches_may_start.is_set():
            self.route = "account"
        elif plan.pages or not left:
            self.route = "both"
        if self._needs_pages:
            text = "%d ids left: reading %d of %d more pages of the account, and %d batches"
            _log.info(text, len(self._wanted), plan.pages, left, plan.batches)
        return plan

    def _best_plan(self, pages: int) -> RoutePlan:
        ids = len(self._wanted) - len(self._in_batches)
        return self._readers.plan(ids, pages, self._options)

    @property
    def _batches(self) -> int:
        return ceil(len(self._wanted) / self._readers.batch_reader.batch_size)

    def _pages_left(self, first: FirstPage) -> int:
        """Return how many pages there are after the first, estimated if it does not state that."""
        stated = (first.page.paging or PresencePagingInfo()).total_pages
        if stated is not None:
            self._readers.pages = max(1, stated)
            self._more_stated = self._readers.pages - 1
            return self._more_stated
        if not self._readers.account_reader.has_next(first):
            return 0
        # As if the ids were spread evenly over the pages.
        return ceil(len(self._wanted) / max(1, self._count - len(self._wanted)))

    async def _page_groups(self) -> AsyncGenerator[OutcomeGroup, None]:
        """Read the pages, as planned; then, or earlier, batches may start."""
        try:
            is_planned = self._plan_first_page() or await self._plan_first_page_again()
            if is_planned and (first := await self._first_page()) is not None:
                outcomes = self._select(first.page)
                plan = self._plan(first)
                yield OutcomeGroup(outcomes, ChangeSource.ACCOUNT)
                async with aclosing(self._more_pages(first, plan)) as pages:
                    async for page in pages:
                        yield OutcomeGroup(self._select(page), ChangeSource.ACCOUNT)
        finally:
            self._pages_ended.set()
            self._batches_may_start.set()

    async def _more_pages(
        self, first: FirstPage, plan: RoutePlan
    ) -> AsyncGenerator[AccountPresenceInfo, None]:
        """Yield the pages after the first, as planned, and let batches start."""
        count, next_plan = 0, plan if plan.pages else await self._plan_again(0)
        while next_plan is not None and not self._is_listed():
            until, first_pages = count + next_plan.pages, count + next_plan.first_pages
            self._let_batches_start(count, first_pages)
            stop = until if self._is_fastest else None
            more = self._readers.account_reader.iter_more(first, count, stop)
            async with aclosing(more):
                async for page in more:
                    if isinstance(page, PresenceError):
                        self._record_page_error(page)
                    else:
                        yield page
                    count += 1
                    self._let_batches_start(count, first_pages)
                    if self._is_listed():
                        return
            # More may be left than expected, if the ids are not in the order of the pages.
            next_plan = await self._plan_again(count) if count == until else None

    def _let_batches_start(self, count: int, first_pages: int) -> None:
        if self._is_fastest and count >= first_pages:
            self._batches_may_start.set()

    async def _plan_again(self, count: int) -> RoutePlan | None:
        """Return how to go on after some more pages; None if all or the rest is not to be read."""
        left = self._more_stated - count
        if not (self._is_fastest and left > 0):
            return None
        plan = self._best_plan(left)
        if not plan.pages:
            await self._wait_until_batches_wait()
            plan = self._best_plan(left)
        if plan.pages:
            self.route = "both"
        return plan if plan.pages else None

    async def _plan_first_page_again(self) -> bool:
        """Return whether to read the first page after all, once the limits hold batches up."""
        if self._is_fastest and self._needs_pages:
            await self._wait_until_batches_wait()
            return self._plan_first_page()
        return False

    async def _wait_until_batches_wait(self) -> None:
        self._batches_may_start.set()
        self._is_listing = False
        await self._batches_wait.wait()
        self._is_listing = True

    def _is_listed(self) -> bool:
        """Whether no more pages are worth reading."""
        has_failed = self._failed_pages >= MAX_FAILED_PAGES
        return has_failed or not self._needs_pages or self._records.pages_repeat

    def _select(self, page: AccountPresenceInfo) -> list[Presence]:
        """Return the outcomes of the ids that a page has."""
        found: dict[str, GetPresenceInfo] = {}
        for record in self._records.select(page.records):
            id_ = record.extension.id if record.extension else None
            if id_ is not None and id_ in self._wanted:
                found[id_] = record
        self._settle(found)
        return succeeded(found, found.values())

    async def _batch_groups(self) -> AsyncGenerator[OutcomeGroup, None]:
        reader = self._readers.batch_reader
        batches = reader.iter_presence_batches(self._take_batches(), self._options)
        try:
            async with aclosing(batches):
                async for outcomes in batches:
                    final = [each for each in outcomes if self._is_final(each)]
                    self._settle([outcome.id for outcome in final])
                    yield OutcomeGroup(final, ChangeSource.BATCH)
        finally:
            self._batches_wait.set()

    async def _take_batches(self) -> AsyncGenerator[tuple[str, ...], None]:
        """Yield ids that no page has had yet, and at last "~"."""
        await self._batches_may_start.wait()
        if self._is_fastest or self._page_error is None:
            untaken = deque(id_ for id_ in self._wanted if id_ != "~")
            while untaken:
                await self._wait_for_batch()
                if ids := self._take(untaken):
                    yield ids
        if "~" in self._wanted:
            yield ("~",)

    async def _wait_for_batch(self) -> None:
        """Wait as long as the limits delay a batch: ids that wait for it may be on the next page.

        Then it takes its place in the queue, even if another request has been sent instead. If it
        waited until the limits allow it at once, requests that never stop could keep it waiting.
        """
        readers = self._readers
        wait = readers.batch_reader.forecast(self._options)
        for _ in range(TURNS_TO_QUEUE):
            await asyncio.sleep(0)
        if not self._pages_ended.is_set() and (seconds := wait(1)) > 0:
            if seconds > SIMILAR_SECONDS:
                self._batches_wait.set()
            await readers.clock.wait(self._pages_ended, seconds)

    def _take(self, untaken: deque[str]) -> tuple[str, ...]:
        ids: list[str] = []
        while untaken and len(ids) < self._readers.batch_reader.batch_size:
            id_ = untaken.pop() if self._pages_may_have_it else untaken.popleft()
            if id_ in self._wanted:
                ids.append(id_)
        self._in_batches.update(ids)
        return tuple(ids)

    def _is_final(self, outcome: Presence) -> bool:
        """Return whether an outcome of a batch is that of its id; keep an error for later."""
        if outcome.id not in self._wanted:
            return False  # A page has had it.
        is_unknown = isinstance(outcome.error, NotFound) and not outcome.of_request
        if outcome.error is None or is_unknown or not self._pages_may_have_it:
            return True
        self._batch_errors[outcome.id] = outcome
        return False

    @property
    def _pages_may_have_it(self) -> bool:
        return self._is_listing and not self._pages_ended.is_set()

    def _settle(self, ids: Iterable[str]) -> None:
        for id_ in ids:
            del self._wanted[id_]
            self._in_batches.discard(id_)

    def _errors(self, ids: Iterable[str]) -> list[Presence]:
        """Return the outcomes of ids that neither a page nor a batch had."""
        error = self._page_error
        status = getattr(error, "http_status", None)
        return [
            self._batch_errors.get(id_) or Outcome(id_, status, error=error, of_request=True)
            for id_ in ids
        ]

    def _record_page_error(self, error: PresenceError) -> None:
        if self._is_fastest and self.route == "account":
            self.route = "both"
        self._page_error = error.with_traceback(None)
        self._failed_pages += 1
        then = "its ids are read in batches" if self._is_fastest else "its ids have this error"
        _log.warning("a page of the account could not be read, so %s: %s", then, error)
