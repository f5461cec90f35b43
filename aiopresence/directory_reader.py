"""The directory of an account, page by page."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from .concurrency import run_cooperatively, slices
from .directory import Directory
from .errors import NotFound, PermissionDenied
from .models import DirectoryEntry
from .protocol import endpoints, page_decoding, paging
from .protocol.directory_pages import DirectoryPage, DirectoryRecord, EntryMaker
from .protocol.rest import Request, check_ok
from .redaction import StripTraceback
from .transport.requester import Requester

_log = logging.getLogger("aiopresence")


class DirectoryReader:
    """Reads the names and numbers of all extensions of an account.

    One page is read after another, so that only one is in memory. Where the directory is not
    allowed, or not part of the plan, the list of extensions is read in its place.

    Args:
        requester: what sends the requests.
    """

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    async def read(self, account_id: str, known: Directory | None = None) -> Directory:
        """Read the directory; see `PresenceApi.read_directory`.

        Args:
            account_id: the account.
            known: an earlier directory, whose equal entries are used again, so that they need not
                be freed, all in one turn of the event loop; it is returned if nothing is different.
        """
        earlier = Directory() if known is None else known
        entries, is_different = list[DirectoryEntry](), known is None
        async with aclosing(self._iter_entries(account_id)) as parts:
            async for part in parts:
                for entry in part:
                    old = earlier.get(entry.id)
                    is_different = is_different or entry != old
                    entries.append(old if old == entry else entry)
        if len(entries) == len(earlier) and not is_different:
            return earlier
        return await run_cooperatively(Directory.build(entries))

    async def _iter_entries(
        self, account_id: str
    ) -> AsyncGenerator[Iterator[DirectoryEntry], None]:
        """Yield the entries in slices, between which other tasks run."""
        request, page = await self._read_first(account_id)
        new = paging.NewRecords[DirectoryRecord](lambda record: record.id)
        maker = EntryMaker(account_id)
        while True:
            for part in slices(new.select(page.records)):
                yield maker.entries(part)
                await asyncio.sleep(0)
            following = paging.next_page(request, page, self._requester.server)
            if following is None:
                return
            if new.pages_repeat:
                _log.warning("reading the directory stopped: its pages repeat")
                return
            del page  # Not two pages in memory.
            request, page = following, await self._read_page(following)

    async def _read_first(self, account_id: str) -> tuple[Request[DirectoryPage], DirectoryPage]:
        """Return the first page of the directory, or else of the list, with its request."""
        request = endpoints.read_directory(account_id)
        try:
            return request, await self._read_page(request)
        except (NotFound, PermissionDenied) as refusal:
            _log.info("reading the list of extensions in place of the directory: %s", refusal)
        request = endpoints.list_extensions(account_id)
        return request, await self._read_page(request)

    async def _read_page(self, request: Request[DirectoryPage]) -> DirectoryPage:
        response = await self._requester.send(request)
        check_ok(response)
        with StripTraceback():
            return await run_cooperatively(
                page_decoding.decode_page(response.body, DirectoryPage, DirectoryRecord)
            )
