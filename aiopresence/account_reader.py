"""A whole account, page by page."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from .concurrency import aiter_any, map_ordered
from .errors import ConnectionFailed, UsageError
from .ids import Id
from .models import AccountPresenceInfo, GetPresenceInfo
from .presence_api import PresenceCalls
from .protocol import endpoints, paging
from .protocol.paging import PageRequest

_log = logging.getLogger("aiopresence")

# A stream works ahead of the oldest request that is still under way, so that one slow answer does
# not idle the others: this many times what may be under way at once. A guess.
_AHEAD = 2


class AccountCalls(PresenceCalls):
    """The reading of a whole account, besides the nine calls."""

    def __init__(self, account_id: str, server: str, concurrency: int) -> None:
        self.account_id = account_id
        self._server = server
        self._ahead = _AHEAD * concurrency

    def iter_account_presence(
        self,
        *,
        per_page: int = 1000,
        account_id: Id | None = None,
        detailed_telephony_state: bool | None = None,
        sip_data: bool | None = None,
    ) -> AsyncGenerator[GetPresenceInfo, None]:
        """Read the presence of every extension of an account, page by page.

        The first page tells how many there are; the others are then read at once. When the account
        changes meanwhile, an extension may be missed, but none is given twice.

        Args:
            per_page: records on a page; RingCentral gives 1,000 at most.
            account_id: of which account; None means the session's.
            detailed_telephony_state: also give `active_calls`; None and False do not.
            sip_data: also give their `sip_data`, and with it `active_calls`; None and False do not.

        Yields:
            The presence of each extension, once.

        Raises:
            UsageError: an argument is wrong; nothing was sent.
            PresenceError: a page could not be read. What came before it was yielded.

        Source: RingCentral API reference, "Get User Presence Status List"; group Heavy, permission
        ReadPresence.
        """
        first = endpoints.read_account_presence(
            self._account(account_id),
            detailed_telephony_state=detailed_telephony_state,
            sip_data=sip_data,
            per_page=per_page,
        )
        return self._iter_account(first)

    async def _iter_account(self, first: PageRequest) -> AsyncGenerator[GetPresenceInfo, None]:
        records = paging.NewRecords()
        async with aclosing(self._account_pages(first)) as account_pages:
            async for page in account_pages:
                await asyncio.sleep(0)  # Several may have come at once.
                for record in records.of(page):
                    yield record
                if records.repeats:
                    _log.warning("the listing of the account ends: its pages repeat")
                    return

    async def _account_pages(self, first: PageRequest) -> AsyncGenerator[AccountPresenceInfo, None]:
        last = first, await self._call_page(first)
        yield last[1]
        known = aiter_any(paging.known(*last))
        async with aclosing(map_ordered(self._page, known, limit=self._ahead)) as rest:
            async for last in rest:
                yield last[1]
        while request := paging.following(*last, self._server):
            last = await self._page(request)
            yield last[1]

    async def _page(self, request: PageRequest) -> tuple[PageRequest, AccountPresenceInfo]:
        try:
            return request, await self._call_page(request)
        except UsageError as error:
            # It was closed meanwhile.
            reason = str(error)
        raise ConnectionFailed(reason, sent=False, final=True)
