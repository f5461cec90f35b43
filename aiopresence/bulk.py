"""Bulk reads: any number of ids in, one typed outcome per id out, in order.

A read puts up to 30 ids into one request, a batch, and has several batches in flight. What can go
wrong with a batch, and what is done about it:

- The request fails for a reason that may pass: the requester has already retried it, so the error
  is the outcome of each of its ids.
- The server refuses the batch because of one of its ids, or because of their number: the batch is
  split in halves until the ids that it refuses are alone. Where a full batch was refused for its
  size and a half is accepted, later batches are no larger than that half.
- Parts of the response are errors that may pass, such as a 429 of one extension: when the other
  batches are done, those ids are read again, together.

`route_reader` also reads pages of the account, where that is faster.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

from .concurrency import aiter_any, map_ordered, run_cooperatively
from .errors import ApiError, AuthError, ConnectionFailed, PresenceError, UsageError
from .ids import IDS_PER_SLICE, Id, Ids, check_id_iterable, parse_id, parse_ids
from .models import GetPresenceInfo, UnifiedPresence
from .protocol import batch, endpoints
from .protocol.batch_formats import MULTIPART_JSON
from .protocol.endpoints import ReadOptions
from .protocol.failure_policy import Kind, kind_of
from .protocol.outcome import BatchResult, Outcome, failed, keep
from .protocol.read_plan import Wait
from .protocol.rest import JSON, Request, Response
from .protocol.stats import Stats
from .transport.instrumentation import Instrumentation
from .transport.requester import Requester

T = TypeVar("T")
# Builds the request for the ids of one batch.
BatchRequest = Callable[[tuple[str, ...]], Request[T]]
Errors = dict[str, PresenceError]
Outcomes = dict[str, Outcome[T]]

_ACCEPT = {"multipart": f"multipart/mixed, {JSON}", "json": f"{MULTIPART_JSON}, {JSON}"}


class BatchReader:
    """Reads records by their ids, in batches.

    Args:
        requester: what sends the requests.
        instrumentation: what counts the outcomes.
        batch_format: the format that responses are requested in: "multipart", or "json", the array.
        limit: how many batches may be in progress at once, or done and not yet yielded.

    Raises:
        UsageError: there is no such batch format.
    """

    def __init__(
        self,
        requester: Requester,
        instrumentation: Instrumentation,
        *,
        batch_format: str,
        limit: int,
    ) -> None:
        if not isinstance(batch_format, str) or batch_format not in _ACCEPT:
            raise UsageError(f"batch_format must be one of: {', '.join(_ACCEPT)}")
        self._requester = requester
        self._instrumentation = instrumentation
        self._accept = _ACCEPT[batch_format]
        self._limit = limit
        # Ids in one batch; fewer once a server has refused full batches for their size.
        self._batch_size = batch.MAX_IDS

    @property
    def batch_size(self) -> int:
        """How many ids the next batch may have."""
        return self._batch_size

    async def read_presence(
        self, extension_ids: Iterable[Id], options: ReadOptions
    ) -> BatchResult[GetPresenceInfo]:
        """Read presence; see `PresenceApi.read_user_presence_statuses`."""
        return await self._read(extension_ids, self._presence_request(options))

    def iter_presence(
        self, extension_ids: Ids, options: ReadOptions
    ) -> AsyncGenerator[Outcome[GetPresenceInfo], None]:
        """Read presence in bounded memory; see `PresenceApi.iter_user_presence_statuses`."""
        return self._iterate(extension_ids, self._presence_request(options))

    async def read_unified(
        self, extension_ids: Iterable[Id], account_id: Id
    ) -> BatchResult[UnifiedPresence]:
        """Read unified presence; see `PresenceApi.read_unified_presences`."""
        return await self._read(extension_ids, _unified_request(account_id))

    def iter_unified(
        self, extension_ids: Ids, account_id: Id
    ) -> AsyncGenerator[Outcome[UnifiedPresence], None]:
        """Read unified presence in bounded memory; see `PresenceApi.iter_unified_presences`."""
        return self._iterate(extension_ids, _unified_request(account_id))

    def iter_presence_batches(
        self, batches: AsyncGenerator[tuple[str, ...], None], options: ReadOptions
    ) -> AsyncGenerator[list[Outcome[GetPresenceInfo]], None]:
        """Read the presence of ids that were checked, and yield the outcomes batch by batch.

        Raises:
            UsageError: the session is not open; raised at once.
        """
        self._requester.check_open()
        return self._map_batches(batches, self._presence_request(options))

    def forecast(self, options: ReadOptions) -> Wait:
        """Return what returns the least seconds until the nth batch may be sent."""
        request = self._presence_request(options)(("0",))
        return lambda number: self._requester.forecast(request, number - 1)

    def _presence_request(self, options: ReadOptions) -> BatchRequest[GetPresenceInfo]:
        return partial(endpoints.read_user_presence_status, options, accept=self._accept)

    async def _read(
        self, extension_ids: Iterable[Id], request_for: BatchRequest[T]
    ) -> BatchResult[T]:
        check_id_iterable(extension_ids)
        self._requester.check_open()
        ids, unique = await run_cooperatively(parse_ids([*extension_ids]))

        async def read(ids: Sequence[str], errors: Errors) -> Outcomes[T]:
            """Read all ids, in batches."""
            read_batch = partial(self._read_batch, request_for, errors)
            batches = map_ordered(read_batch, self._split(ids), limit=self._limit)
            found: Outcomes[T] = {}
            async with aclosing(batches):
                async for outcomes in batches:
                    keep(found, outcomes)
            return found

        found = await self._until_final([*unique], read)
        self._instrumentation.items_answered(len(found))
        return BatchResult(await run_cooperatively(in_order(ids, found)), "batches")

    def _iterate(
        self, extension_ids: Ids, request_for: BatchRequest[T]
    ) -> AsyncGenerator[Outcome[T], None]:
        check_id_iterable(extension_ids, allow_async=True)
        return self._iter_outcomes(extension_ids, request_for)

    async def _iter_outcomes(
        self, ids: Ids, request_for: BatchRequest[T]
    ) -> AsyncGenerator[Outcome[T], None]:
        self._requester.check_open()
        batches = self._map_batches(iter_batches(ids, lambda: self._batch_size), request_for)
        async with aclosing(batches):
            async for outcomes in batches:
                self._instrumentation.items_answered(len(outcomes))
                await asyncio.sleep(0)  # Several batches may be ready: let other tasks run.
                for outcome in outcomes:
                    yield outcome

    def _map_batches(
        self, batches: AsyncGenerator[tuple[str, ...], None], request_for: BatchRequest[T]
    ) -> AsyncGenerator[list[Outcome[T]], None]:
        async def read(ids: Sequence[str], errors: Errors) -> Outcomes[T]:
            """Read one batch."""
            return {o.id: o for o in await self._read_batch(request_for, errors, ids)}

        async def read_batch(ids: tuple[str, ...]) -> list[Outcome[T]]:
            """Read one batch until each id has its final outcome."""
            found = await self._until_final(ids, read)
            return [found[id_] for id_ in ids]

        return map_ordered(read_batch, batches, limit=self._limit)

    async def _split(self, ids: Sequence[str]) -> AsyncGenerator[tuple[str, ...], None]:
        """Yield ids in batches, and at last "~", which takes a request of its own."""
        others = [id_ for id_ in ids if id_ != "~"]
        start = 0
        while start < len(others):
            size = self._batch_size
            yield tuple(others[start : start + size])
            start += size
        if len(others) < len(ids):
            yield ("~",)

    async def _until_final(
        self,
        ids: Sequence[str],
        read: Callable[[Sequence[str], Errors], Awaitable[Outcomes[T]]],
    ) -> Outcomes[T]:
        """Read ids, and again those whose part of a response is an error that may pass.

        Args:
            ids: the ids, each once.
            read: reads some ids once and records the errors of parts of responses.
        """
        found: Outcomes[T] = {}
        attempt = 0
        while ids:
            attempt += 1
            errors: Errors = {}
            found |= await read(ids, errors)
            ids = await self._requester.wait_to_retry(errors, attempt)
        return found

    async def _read_batch(
        self, request_for: BatchRequest[T], errors: Errors, ids: Sequence[str]
    ) -> list[Outcome[T]]:
        """Read the ids of one batch, with a request for "~" alone if it is among them."""
        return [
            outcome
            for request_ids in batch.plan(ids)
            for outcome in await self._send_batch(request_for, errors, request_ids)
        ]

    async def _send_batch(
        self,
        request_for: BatchRequest[T],
        errors: Errors,
        ids: tuple[str, ...],
        *,
        is_half: bool = False,
    ) -> list[Outcome[T]]:
        """Send one request, or two halves of it if it is refused for what is in it.

        Args:
            request_for: builds the request.
            errors: where the errors of parts of the response are recorded, by id.
            ids: the ids of the request.
            is_half: whether these are the first half of a batch that was refused for its size,
                so that its success shows which size is accepted.
        """
        request = request_for(ids)
        is_full = len(ids) == self._batch_size
        try:
            response = await send_one_of_many(self._requester, self._instrumentation.stats, request)
        except (AuthError, UsageError):
            raise
        except ApiError as error:
            if not batch.is_divisible(ids, error):
                if batch.is_too_large(error):
                    # One id alone was refused, so the size was not the reason.
                    self._batch_size = batch.MAX_IDS
                return failed(ids, error, error.http_status)
            by_size = batch.is_too_large(error) and (is_full or is_half)
        except PresenceError as error:
            return failed(ids, error, None)
        else:
            if is_half:
                self._batch_size = min(self._batch_size, len(ids))
            return self._parse(ids, request, response, errors)
        middle = (len(ids) + 1) // 2
        return [
            *await self._send_batch(request_for, errors, ids[:middle], is_half=by_size),
            *await self._send_batch(request_for, errors, ids[middle:]),
        ]

    def _parse(
        self, ids: tuple[str, ...], request: Request[T], response: Response, errors: Errors
    ) -> list[Outcome[T]]:
        """Return the outcomes of a response, and record the errors in it."""
        self._instrumentation.batch_read()
        outcomes = batch.read(ids, response, request.model)
        partial_errors = {o.id: o.error for o in outcomes if o.error is not None}
        errors |= partial_errors
        if any(kind_of(error) is Kind.RATE_LIMITED for error in partial_errors.values()):
            self._requester.apply_429(request, response)
        return outcomes


async def send_one_of_many(
    requester: Requester, stats: Stats, request: Request[Any], *, once: bool = False
) -> Response:
    """Send one of many requests; if `once`, without further attempts.

    Raises:
        UsageError: the session is not open, and has not sent anything. If it was closed after a
            part of the requests was sent, this is a ConnectionFailed.
        PresenceError: as `Requester.send`.
    """
    try:
        return await requester.send(request, once=once)
    except UsageError as error:
        if not stats.requests + stats.token_requests:
            raise
        reason = str(error)
    raise ConnectionFailed(reason, sent=False, final=True)


def _unified_request(account_id: Id) -> BatchRequest[UnifiedPresence]:
    return partial(endpoints.read_unified_presence, parse_id(account_id, "account_id", tilde=True))


async def iter_batches(ids: Ids, size: Callable[[], int]) -> AsyncGenerator[tuple[str, ...], None]:
    """Group ids into batches of `size()` ids; the last batch may be smaller.

    Raises:
        UsageError: an id is neither digits nor "~"; the ids before it are yielded first.
        Exception: whatever the iterable raises, likewise.
    """
    pending: list[str] = []
    failure: Exception | None = None
    try:
        index = 0
        async for value in aiter_any(ids):
            pending.append(parse_id(value, "extension_ids", index, tilde=True))
            index += 1
            if len(pending) >= size():
                full, pending = tuple(pending), []
                yield full
    except Exception as error:  # Raised below, after the last batch.
        failure = error
    if pending:
        yield tuple(pending)
    if failure is not None:
        raise failure


def in_order(ids: Sequence[str], found: Outcomes[T]) -> Generator[None, None, list[Outcome[T]]]:
    """Return the outcomes of ids, duplicates included; see `run_cooperatively`."""
    outcomes = []
    for start in range(0, len(ids), IDS_PER_SLICE):
        outcomes += [found[id_] for id_ in ids[start : start + IDS_PER_SLICE]]
        yield
    return outcomes
