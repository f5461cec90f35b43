"""The presence of a whole account, page by page."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from .concurrency import aiter_any, map_ordered, run_cooperatively
from .errors import ConnectionFailed, UsageError
from .models import AccountPresenceInfo, GetPresenceInfo
from .protocol import endpoints, page_decoding, paging
from .protocol.endpoints import ReadOptions
from .protocol.paging import MAX_PER_PAGE, PageRequest
from .protocol.rest import check_ok
from .redaction import StripTraceback
from .transport.requester import Requester

_log = logging.getLogger("aiopresence")


class AccountReader:
    """Reads the presence of all extensions of an account.

    The first page states how many pages there are, and the others are then read concurrently. If
    the server does not state it, one page is read after another.

    Args:
        requester: what sends the requests.
        limit: how many pages may be in progress at once, or read and not yet yielded.
    """

    def __init__(self, requester: Requester, *, limit: int) -> None:
        self._requester = requester
        self._limit = limit

    async def read_page(
        self, options: ReadOptions, *, page: int | None = None, per_page: int | None = None
    ) -> AccountPresenceInfo:
        """Read one page; see `PresenceApi.read_account_presence`."""
        return await self._read(
            endpoints.read_account_presence(options, page=page, per_page=per_page)
        )

    def iter_presence(
        self, options: ReadOptions, *, per_page: int = MAX_PER_PAGE
    ) -> AsyncGenerator[GetPresenceInfo, None]:
        """Read all pages; see `PresenceApi.iter_account_presence`."""
        return self._iter_records(endpoints.read_account_presence(options, per_page=per_page))

    async def _iter_records(self, first: PageRequest) -> AsyncGenerator[GetPresenceInfo, None]:
        """Yield each extension once, though pages may overlap when the account changes."""
        records = paging.NewRecords()
        async with aclosing(self._iter_pages(first)) as pages:
            async for page in pages:
                await asyncio.sleep(0)  # Several pages may be ready: let other tasks run.
                for record in records.select(page):
                    yield record
                if records.pages_repeat:
                    _log.warning("reading the account stopped: its pages repeat")
                    return

    async def _iter_pages(self, first: PageRequest) -> AsyncGenerator[AccountPresenceInfo, None]:
        last = first, await self._read(first)
        yield last[1]
        known = aiter_any(paging.known_pages(*last))
        async with aclosing(map_ordered(self._read_next, known, limit=self._limit)) as pages:
            async for last in pages:
                yield last[1]
        while request := paging.next_page(*last, self._requester.server):
            last = await self._read_next(request)
            yield last[1]

    async def _read_next(self, request: PageRequest) -> tuple[PageRequest, AccountPresenceInfo]:
        """Read a page after the first; if the session was closed, that is a ConnectionFailed."""
        try:
            return request, await self._read(request)
        except UsageError as error:
            reason = str(error)
        raise ConnectionFailed(reason, sent=False, final=True)

    async def _read(self, request: PageRequest) -> AccountPresenceInfo:
        response = await self._requester.send(request)
        check_ok(response)
        with StripTraceback():
            return await run_cooperatively(page_decoding.decode_page(response.body))
