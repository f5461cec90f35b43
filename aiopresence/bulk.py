"""Any number of ids in, one typed outcome per id out, in order."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import TypeVar

from .calls import Id, Plain, PresenceCalls
from .errors import ApiError, AuthError, PresenceError, UsageError
from .models import (
    AccountPresenceInfo,
    GetPresenceInfo,
    PresenceInfoRequest,
    PresenceInfoResponse,
    UnifiedPresence,
)
from .models.inputs import as_id
from .protocol import batch, calls, pages
from .protocol.envelope import MULTIPART_JSON
from .protocol.outcome import BatchResult, Outcome, failed
from .protocol.wire import JSON, Request
from .transport.pipeline import Ids, check_ids, chunks, each, stream
from .transport.stats import Stats

T = TypeVar("T")
BatchCall = Callable[[tuple[str, ...]], Request[T]]
Body = PresenceInfoRequest | Plain
# Three, because a Mapping is invariant in its key.
Changes = Mapping[str, Body] | Mapping[int, Body] | Mapping[str | int, Body]
PageRequest = Request[AccountPresenceInfo]

_ACCEPT = {"multipart": f"multipart/mixed, {JSON}", "json": f"{MULTIPART_JSON}, {JSON}"}

# A stream works ahead of the oldest request that is still under way, so that one slow answer does
# not idle the others: this many times what may be under way at once. A guess.
_AHEAD = 2


class BulkCalls(PresenceCalls):
    """The bulk calls of a session."""

    def __init__(
        self, account_id: str, server: str, batch_format: str, concurrency: int, stats: Stats
    ) -> None:
        if batch_format not in _ACCEPT:
            raise UsageError(f"batch_format must be one of: {', '.join(_ACCEPT)}")
        self.account_id = account_id
        self._server = server
        self._accept = _ACCEPT[batch_format]
        self._ahead = _AHEAD * concurrency
        self._stats = stats
        self._batch_size = batch.MAX_IDS

    async def read_user_presence_statuses(
        self,
        extension_ids: Iterable[Id],
        *,
        account_id: Id | None = None,
        detailed_telephony_state: bool | None = None,
        sip_data: bool | None = None,
    ) -> BatchResult[GetPresenceInfo]:
        """Read the presence of any number of extensions, in batches of at most 30.

        Args:
            extension_ids: whose; duplicates are asked for once and answered each time. "~" is the
                caller, and takes a request of its own.
            account_id: of which account.
            detailed_telephony_state: also give `active_calls`.
            sip_data: also give their `sip_data`, and with it `active_calls`.

        Returns:
            One outcome per id, in the order of the ids.

        Raises:
            UsageError: an argument is wrong; nothing was sent.
            AuthError: the credentials or the token were refused. Every other error is in the
                outcomes of the ids it concerns.

        Source: RingCentral API reference, "Get User Presence Status"; group Light, permission
        ReadPresence.
        """
        call = self._presence_call(account_id, detailed_telephony_state, sip_data)
        return await self._read_all(extension_ids, call)

    def iter_user_presence_statuses(
        self,
        extension_ids: Ids,
        *,
        account_id: Id | None = None,
        detailed_telephony_state: bool | None = None,
        sip_data: bool | None = None,
    ) -> AsyncGenerator[Outcome[GetPresenceInfo], None]:
        """Read the presence of a stream of extensions, in bounded memory.

        As `read_user_presence_statuses`, but the ids may come from an async iterable, are read
        only as fast as their answers are used, and are gathered until a batch is full. Duplicates
        are asked for once only within a batch.

        Yields:
            One outcome per id, in the order of the ids.

        Raises:
            UsageError: an argument is wrong: at once; an id is wrong: after the outcomes of the
                ids before it, as does whatever the iterable raises.
            AuthError: the credentials or the token were refused.
        """
        call = self._presence_call(account_id, detailed_telephony_state, sip_data)
        return self._iter_all(extension_ids, call)

    async def read_unified_presences(
        self, extension_ids: Iterable[Id], *, account_id: Id | None = None
    ) -> BatchResult[UnifiedPresence]:
        """Read the unified presence of any number of users, in batches of at most 30.

        Arguments, result and errors as `read_user_presence_statuses`; group Medium.
        """
        return await self._read_all(extension_ids, self._unified_call(account_id))

    def iter_unified_presences(
        self, extension_ids: Ids, *, account_id: Id | None = None
    ) -> AsyncGenerator[Outcome[UnifiedPresence], None]:
        """Read the unified presence of a stream of users, in bounded memory.

        Arguments, outcomes and errors as `iter_user_presence_statuses`; group Medium.
        """
        return self._iter_all(extension_ids, self._unified_call(account_id))

    async def update_user_presence_statuses(
        self,
        request_bodies: Changes,
        *,
        account_id: Id | None = None,
    ) -> BatchResult[PresenceInfoResponse]:
        """Change the presence of any number of users, one request each.

        Args:
            request_bodies: what to change, by extension id.
            account_id: of which account.

        Returns:
            One outcome per id, in the order of the mapping.

        Raises:
            UsageError: an argument is wrong; nothing was sent.
            AuthError: the credentials or the token were refused. What was written before stays.
                Every other error is in the outcomes.

        Source: RingCentral API reference, "Update User Presence Status"; group Medium, permission
        EditPresence.
        """
        if not isinstance(request_bodies, Mapping):
            raise UsageError("request_bodies must be a mapping of extension ids to changes")
        account = self._account(account_id)
        writes = [
            (str(id_), calls.update_user_presence_status(account, id_, body))
            for id_, body in request_bodies.items()
        ]
        async with aclosing(stream(each(writes), self._write, ahead=self._ahead)) as outcomes:
            return BatchResult([outcome async for outcome in outcomes])

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
            account_id: of which account.
            detailed_telephony_state: also give `active_calls`.
            sip_data: also give their `sip_data`, and with it `active_calls`.

        Yields:
            The presence of each extension, once.

        Raises:
            UsageError: an argument is wrong; nothing was sent.
            PresenceError: a page could not be read. What came before it was yielded.

        Source: RingCentral API reference, "Get User Presence Status List"; group Heavy, permission
        ReadPresence.
        """
        first = calls.read_account_presence(
            self._account(account_id),
            detailed_telephony_state=detailed_telephony_state,
            sip_data=sip_data,
            per_page=per_page,
        )
        return self._iter_account(first)

    def _presence_call(
        self, account_id: Id | None, detailed: bool | None, sip_data: bool | None
    ) -> BatchCall[GetPresenceInfo]:
        def call(ids: tuple[str, ...]) -> Request[GetPresenceInfo]:
            return calls.read_user_presence_status(
                self._account(account_id),
                ids,
                detailed_telephony_state=detailed,
                sip_data=sip_data,
                accept=self._accept,
            )

        call(("~",))  # Checks the arguments before anything is sent.
        return call

    def _unified_call(self, account_id: Id | None) -> BatchCall[UnifiedPresence]:
        account = as_id(self._account(account_id), "account_id", tilde=True)
        return lambda ids: calls.read_unified_presence(account, ids)

    async def _read_all(self, extension_ids: Iterable[Id], call: BatchCall[T]) -> BatchResult[T]:
        check_ids(extension_ids)
        if not isinstance(extension_ids, Iterable):
            raise UsageError("an async iterable of ids goes to iter_…, not read_…")
        asked = [as_id(id_, "extension_id", tilde=True) for id_ in extension_ids]
        unique = [id_ for request in batch.plan(asked) for id_ in request]
        async with aclosing(self._iter_all(unique, call)) as outcomes:
            found = {outcome.id: outcome async for outcome in outcomes}
        return BatchResult([found[id_] for id_ in asked])

    def _iter_all(self, extension_ids: Ids, call: BatchCall[T]) -> AsyncGenerator[Outcome[T], None]:
        check_ids(extension_ids)

        async def work(chunk: tuple[str, ...]) -> list[Outcome[T]]:
            return await self._read_chunk(chunk, call)

        async def outcomes() -> AsyncGenerator[Outcome[T], None]:
            groups = chunks(extension_ids, lambda: self._batch_size)
            async with aclosing(stream(groups, work, ahead=self._ahead)) as results:
                async for result in results:
                    for outcome in result:
                        yield outcome

        return outcomes()

    async def _read_chunk(self, ids: tuple[str, ...], call: BatchCall[T]) -> list[Outcome[T]]:
        found: dict[str, Outcome[T]] = {}
        for request_ids in batch.plan(ids):
            for outcome in await self._read_batch(request_ids, call):
                found[outcome.id] = outcome
        self._stats.items += len(ids)
        return [found[id_] for id_ in ids]

    async def _read_batch(self, ids: tuple[str, ...], call: BatchCall[T]) -> list[Outcome[T]]:
        request = call(ids)
        try:
            response = await self._send(request)
        except (AuthError, UsageError):
            raise
        except ApiError as error:
            if not batch.divisible(ids, error):
                return failed(ids, error, error.http_status)
            half = (len(ids) + 1) // 2
            if batch.too_large(error):
                self._batch_size = min(self._batch_size, half)
        except PresenceError as error:
            return failed(ids, error, None)
        else:
            return batch.read(ids, response, request.answer)
        return [o for part in (ids[:half], ids[half:]) for o in await self._read_batch(part, call)]

    async def _write(
        self, write: tuple[str, Request[PresenceInfoResponse]]
    ) -> Outcome[PresenceInfoResponse]:
        id_, request = write
        self._stats.items += 1
        try:
            return Outcome(id_, 200, await self._call(request))
        except (AuthError, UsageError):
            raise
        except PresenceError as error:
            return Outcome(id_, getattr(error, "http_status", None), error=error)

    async def _iter_account(self, first: PageRequest) -> AsyncGenerator[GetPresenceInfo, None]:
        seen: set[str] = set()
        async with aclosing(self._account_pages(first)) as account_pages:
            async for page in account_pages:
                before = len(seen)
                for record in page.records or ():
                    id_ = record.extension.id if record.extension else None
                    if id_ is None or id_ not in seen:
                        yield record
                    if id_ is not None:
                        seen.add(id_)
                if len(seen) == before:
                    # The same page again, or an empty one: a server that ignores page numbers
                    # would go on for ever.
                    return

    async def _account_pages(self, first: PageRequest) -> AsyncGenerator[AccountPresenceInfo, None]:
        last = first, await self._call(first)
        yield last[1]
        known = each(pages.known(*last))
        async with aclosing(stream(known, self._page, ahead=self._ahead)) as rest:
            async for last in rest:
                yield last[1]
        while request := pages.following(*last, self._server):
            last = await self._page(request)
            yield last[1]

    async def _page(self, request: PageRequest) -> tuple[PageRequest, AccountPresenceInfo]:
        return request, await self._call(request)
