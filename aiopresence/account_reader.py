"""The presence of a whole account, page by page."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from itertools import islice

import attrs

from .bulk import send_one_of_many
from .concurrency import aiter_any, map_ordered, run_cooperatively, slices
from .errors import AuthError, ConnectionFailed, PermissionDenied, PresenceError, UsageError
from .models import AccountPresenceInfo, GetPresenceInfo
from .protocol import endpoints, page_decoding, paging
from .protocol.endpoints import ReadOptions
from .protocol.paging import MAX_PER_PAGE, PageRequest
from .protocol.read_plan import Wait
from .protocol.rest import Response, check_ok
from .redaction import StripTraceback
from .transport.instrumentation import Instrumentation
from .transport.requester import Requester

_log = logging.getLogger("aiopresence")

# A page, or why it could not be read, with its request.
PageResult = tuple[PageRequest, AccountPresenceInfo | PresenceError]


@attrs.frozen
class FirstPage:
    """The first page of a read of an account.

    Attributes:
        request: its request, from which those of the other pages are made.
        page: the page.
    """

    request: PageRequest
    page: AccountPresenceInfo


class AccountReader:
    """Reads the presence of all extensions of an account.

    The first page states how many pages there are, and the others are then read concurrently. If
    the server does not state it, one page is read after another.

    Args:
        requester: what sends the requests.
        instrumentation: what counts the pages.
        limit: how many pages may be in progress at once, or read and not yet yielded.
    """

    def __init__(
        self, requester: Requester, instrumentation: Instrumentation, *, limit: int
    ) -> None:
        self._requester = requester
        self._instrumentation = instrumentation
        self._limit = limit
        # The paths of the accounts that the user may not list, as far as is known.
        self._forbidden: set[str] = set()
        # Slices of several pages must not come together in one turn of the event loop.
        self._decoding = asyncio.Lock()

    async def read_page(
        self, options: ReadOptions, *, page: int | None = None, per_page: int | None = None
    ) -> AccountPresenceInfo:
        """Read one page; see `PresenceApi.read_account_presence`."""
        return await self._read(
            endpoints.read_account_presence(options, page=page, per_page=per_page)
        )

    async def first_page(self, options: ReadOptions, *, once: bool = False) -> FirstPage:
        """Read the first page of the account; if `once`, without further attempts.

        Raises:
            PresenceError: as `bulk.send_one_of_many`.
        """
        request = endpoints.read_account_presence(options, per_page=MAX_PER_PAGE)
        stats = self._instrumentation.stats
        sending = send_one_of_many(self._requester, stats, request, once=once)
        return FirstPage(request, await self._receive(request, sending))

    async def iter_more(
        self, first: FirstPage, start: int = 0, stop: int | None = None
    ) -> AsyncGenerator[AccountPresenceInfo | PresenceError, None]:
        """Yield the pages after the first, or why one could not be read.

        Args:
            first: the first page.
            start: how many of the pages after it to skip; 0 unless it states how many there are.
            stop: how many of the pages after it there are to be, with those skipped; None for all.

        Raises:
            AuthError: the credentials or the token were refused.
        """
        known = aiter_any(islice(paging.known_pages(first.request, first.page), start, stop))
        # If all pages were skipped, the last of them is the one to continue from.
        last: PageResult = paging.with_page(first.request, start + 1), first.page
        count = start
        async with aclosing(map_ordered(self._try_read, known, limit=self._limit)) as pages:
            async for last in pages:
                yield last[1]
                count += 1
        while (stop is None or count < stop) and (request := self._next(last)) is not None:
            # No page before this one has stated that it exists.
            last = request if isinstance(request, tuple) else await self._try_read(request)
            yield last[1]
            count += 1

    def _next(self, last: PageResult) -> PageRequest | PageResult | None:
        """Return the request of the page after the last one read, or why there is none."""
        request, page = last
        if isinstance(page, PresenceError):
            return None
        try:
            return paging.next_page(request, page, self._requester.server)
        except PresenceError as error:
            return request, error

    def has_next(self, first: FirstPage) -> bool:
        """Return whether there is a page after the first."""
        return self._next((first.request, first.page)) is not None

    def is_forbidden(self, options: ReadOptions) -> bool:
        """Return whether the last request for a page of the account was forbidden."""
        return endpoints.read_account_presence(options).path in self._forbidden

    def forecast(self, options: ReadOptions) -> Wait:
        """Return what returns the least seconds until the nth page may be requested."""
        request = endpoints.read_account_presence(options, per_page=MAX_PER_PAGE)
        return lambda number: self._requester.forecast(request, number - 1)

    def iter_presence(
        self, options: ReadOptions, *, per_page: int = MAX_PER_PAGE
    ) -> AsyncGenerator[GetPresenceInfo, None]:
        """Read all pages; see `PresenceApi.iter_account_presence`."""
        return self._iter_records(endpoints.read_account_presence(options, per_page=per_page))

    async def _iter_records(self, request: PageRequest) -> AsyncGenerator[GetPresenceInfo, None]:
        """Yield each extension once, though pages may overlap when the account changes."""
        records = paging.new_presence()
        async with aclosing(self._iter_pages(request)) as pages:
            async for page in pages:
                await asyncio.sleep(0)  # Several pages may be ready.
                for part in slices(records.select(page.records)):
                    await asyncio.sleep(0)
                    for record in part:
                        yield record
                if records.pages_repeat:
                    _log.warning("reading the account stopped: its pages repeat")
                    return

    async def _iter_pages(self, request: PageRequest) -> AsyncGenerator[AccountPresenceInfo, None]:
        first = FirstPage(request, await self._read(request))
        yield first.page
        async with aclosing(self.iter_more(first)) as pages:
            async for page in pages:
                if isinstance(page, PresenceError):
                    raise page.with_traceback(None)
                yield page

    async def _try_read(self, request: PageRequest) -> PageResult:
        """Read a page after the first; if the session was closed, that is a ConnectionFailed."""
        try:
            return request, await self._read(request)
        except AuthError:
            raise
        except UsageError as error:
            return request, ConnectionFailed(str(error), sent=False, final=True)
        except PresenceError as error:
            return request, error

    async def _read(self, request: PageRequest) -> AccountPresenceInfo:
        return await self._receive(request, self._requester.send(request))

    async def _receive(
        self, request: PageRequest, sending: Awaitable[Response]
    ) -> AccountPresenceInfo:
        """Return the page in the response, and remember whether the account may be listed."""
        try:
            response = await sending
        except PermissionDenied:
            self._forbidden.add(request.path)
            raise
        self._forbidden.discard(request.path)
        check_ok(response)
        async with self._decoding:
            with StripTraceback():
                page = await run_cooperatively(
                    page_decoding.decode_page(response.body, AccountPresenceInfo, GetPresenceInfo)
                )
        self._instrumentation.page_read()
        return page
