"""Any number of ids in, one typed outcome per id out, in order."""

from abc import abstractmethod
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from typing import Any, TypeVar

from .account_reader import AccountCalls
from .concurrency import aiter_any, map_ordered, run_cooperatively
from .errors import ApiError, AuthError, ConnectionFailed, PresenceError, UsageError
from .ids import IDS_PER_SLICE, Id, Ids, check_id_iterable, parse_id, parse_ids
from .models import (
    GetPresenceInfo,
    PresenceInfoRequest,
    PresenceInfoResponse,
    UnifiedPresence,
)
from .models.validation import as_record
from .presence_api import Plain
from .protocol import batch, endpoints
from .protocol.batch_formats import MULTIPART_JSON
from .protocol.failure_policy import Kind, kind_of
from .protocol.outcome import BatchResult, Outcome, failed
from .protocol.rest import JSON, Request, Response
from .transport.instrumentation import Instrumentation

T = TypeVar("T")
BatchCall = Callable[[tuple[str, ...]], Request[T]]
Body = PresenceInfoRequest | Plain
# Three, because a Mapping is invariant in its key.
Changes = Mapping[str, Body] | Mapping[int, Body] | Mapping[str | int, Body]
Errors = dict[str, PresenceError]
Found = dict[str, Outcome[T]]

_ACCEPT = {"multipart": f"multipart/mixed, {JSON}", "json": f"{MULTIPART_JSON}, {JSON}"}


class BulkCalls(AccountCalls):
    """The bulk calls of a session."""

    def __init__(
        self,
        account_id: str,
        server: str,
        batch_format: str,
        concurrency: int,
        instrumentation: Instrumentation,
    ) -> None:
        if not isinstance(batch_format, str) or batch_format not in _ACCEPT:
            raise UsageError(f"batch_format must be one of: {', '.join(_ACCEPT)}")
        super().__init__(account_id, server, concurrency)
        self._accept = _ACCEPT[batch_format]
        self._instrumentation = instrumentation
        self._batch_size = batch.MAX_IDS

    @abstractmethod
    async def _again(self, errors: Mapping[str, PresenceError], attempt: int) -> list[str]:
        """Wait until some ids may be asked for again, and give them."""

    @abstractmethod
    def _penalise(self, request: Request[Any], response: Response) -> None:
        """Shut a request's group because a part of its answer was a 429."""

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
            account_id: of which account; None means the session's.
            detailed_telephony_state: also give `active_calls`; None and False do not.
            sip_data: also give their `sip_data`, and with it `active_calls`; None and False do not.

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
            account_id: of which account; None means the session's.

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
        writes: dict[str, Request[PresenceInfoResponse]] = {}
        for id_, body in request_bodies.items():
            if str(id_) in writes:
                raise UsageError(f"request_bodies has the id {id_} twice, as str and as int")
            writes[str(id_)] = self._change(id_, body, account_id)
        self._check_open()
        async with aclosing(
            map_ordered(self._write, aiter_any(writes.items()), limit=self._ahead)
        ) as outcomes:
            return BatchResult([outcome async for outcome in outcomes])

    def _presence_call(
        self, account_id: Id | None, detailed: bool | None, sip_data: bool | None
    ) -> BatchCall[GetPresenceInfo]:
        def call(ids: tuple[str, ...]) -> Request[GetPresenceInfo]:
            return endpoints.read_user_presence_status(
                self._account(account_id),
                ids,
                detailed_telephony_state=detailed,
                sip_data=sip_data,
                accept=self._accept,
            )

        call(("~",))  # Checks the arguments before anything is sent.
        return call

    def _unified_call(self, account_id: Id | None) -> BatchCall[UnifiedPresence]:
        account = parse_id(self._account(account_id), "account_id", tilde=True)
        return lambda ids: endpoints.read_unified_presence(account, ids)

    async def _read_all(self, extension_ids: Iterable[Id], call: BatchCall[T]) -> BatchResult[T]:
        check_id_iterable(extension_ids)
        self._check_open()
        asked, unique = await run_cooperatively(parse_ids([*extension_ids]))
        if "~" in unique:
            unique["~"] = unique.pop("~")  # It takes a request of its own: after all full ones.

        async def ask(ids: Sequence[str], partial: Errors) -> Found[T]:
            async def work(chunk: tuple[str, ...]) -> list[Outcome[T]]:
                return await self._read_chunk(chunk, call, partial)

            async with aclosing(self._stream(ids, work)) as outcomes:
                return {outcome.id: outcome async for outcome in outcomes}

        found = await self._until_answered([*unique], ask)
        return BatchResult(await run_cooperatively(_in_order(asked, found)))

    def _iter_all(self, extension_ids: Ids, call: BatchCall[T]) -> AsyncGenerator[Outcome[T], None]:
        check_id_iterable(extension_ids, allow_async=True)

        async def work(chunk: tuple[str, ...]) -> list[Outcome[T]]:
            async def ask(ids: Sequence[str], partial: Errors) -> Found[T]:
                return {o.id: o for o in await self._read_chunk(ids, call, partial)}

            found = await self._until_answered(chunk, ask)
            return [found[id_] for id_ in chunk]

        return self._stream(extension_ids, work)

    async def _stream(
        self, ids: Ids, work: Callable[[tuple[str, ...]], Coroutine[Any, Any, list[Outcome[T]]]]
    ) -> AsyncGenerator[Outcome[T], None]:
        self._check_open()
        groups = iter_batches(ids, lambda: self._batch_size)
        async with aclosing(map_ordered(work, groups, limit=self._ahead)) as results:
            async for result in results:
                for outcome in result:
                    yield outcome

    async def _until_answered(
        self,
        ids: Sequence[str],
        ask: Callable[[Sequence[str], Errors], Awaitable[Found[T]]],
    ) -> Found[T]:
        """Ask for ids, and again for those whose own part of an answer failed and may yet come."""
        found: Found[T] = {}
        attempt = 0
        while ids:
            attempt += 1
            partial: Errors = {}
            found |= await ask(ids, partial)
            ids = await self._again(partial, attempt)
        self._instrumentation.items_answered(len(found))
        return found

    async def _read_chunk(
        self, ids: Sequence[str], call: BatchCall[T], partial: Errors
    ) -> list[Outcome[T]]:
        return [
            outcome
            for request_ids in batch.plan(ids)
            for outcome in await self._read_batch(request_ids, call, partial)
        ]

    async def _read_batch(
        self, ids: tuple[str, ...], call: BatchCall[T], partial: Errors, *, halved: bool = False
    ) -> list[Outcome[T]]:
        request = call(ids)
        full = len(ids) == self._batch_size
        try:
            response = await self._send_one(request)
        except (AuthError, UsageError):
            raise
        except ApiError as error:
            if not batch.divisible(ids, error):
                if batch.too_large(error):
                    self._batch_size = batch.MAX_IDS  # Refused alone, so it is not the size.
                return failed(ids, error, error.http_status)
            halving = batch.too_large(error) and (full or halved)
        except PresenceError as error:
            return failed(ids, error, None)
        else:
            if halved:
                self._batch_size = min(self._batch_size, len(ids))
            return self._read(ids, request, response, partial)
        half = (len(ids) + 1) // 2
        return [
            *await self._read_batch(ids[:half], call, partial, halved=halving),
            *await self._read_batch(ids[half:], call, partial),
        ]

    async def _send_one(self, request: Request[Any]) -> Response:
        """Send one of many requests; a UsageError only if nothing can have been sent so far."""
        try:
            return await self._send(request)
        except UsageError as error:
            stats = self._instrumentation.stats
            if not stats.requests + stats.token_requests:
                raise
            # Mostly it was closed meanwhile.
            reason = str(error)
        raise ConnectionFailed(reason, sent=False, final=True)

    def _read(
        self, ids: tuple[str, ...], request: Request[T], response: Response, partial: Errors
    ) -> list[Outcome[T]]:
        outcomes = batch.read(ids, response, request.answer)
        errors = {o.id: o.error for o in outcomes if o.error is not None}
        partial |= errors
        if any(kind_of(error) is Kind.RATE_LIMITED for error in errors.values()):
            self._penalise(request, response)
        return outcomes

    def _change(self, id_: Id, body: Body, account_id: Id | None) -> Request[PresenceInfoResponse]:
        try:
            change = as_record(PresenceInfoRequest, body)
        except UsageError as error:
            raise UsageError(f"request_bodies[{id_!r}]: {error}") from None
        return endpoints.update_user_presence_status(self._account(account_id), id_, change)

    async def _write(
        self, write: tuple[str, Request[PresenceInfoResponse]]
    ) -> Outcome[PresenceInfoResponse]:
        id_, request = write
        outcomes: list[Outcome[PresenceInfoResponse]]
        try:
            response = await self._send_one(request)
        except (AuthError, UsageError):
            raise
        except PresenceError as error:
            outcomes = failed([id_], error, getattr(error, "http_status", None))
        else:
            outcomes = batch.read((id_,), response, request.answer)
        self._instrumentation.items_answered(1)
        return outcomes[0]


def _in_order(ids: Sequence[str], found: Found[T]) -> Generator[None, None, list[Outcome[T]]]:
    outcomes = []
    for n in range(0, len(ids), IDS_PER_SLICE):
        outcomes += [found[id_] for id_ in ids[n : n + IDS_PER_SLICE]]
        yield
    return outcomes


async def iter_batches(ids: Ids, size: Callable[[], int]) -> AsyncGenerator[tuple[str, ...], None]:
    """Group ids into batches of `size()` ids, the last one of what is left.

    An error is raised after the ids before it were yielded.

    Raises:
        UsageError: an id is neither digits nor "~".
        Exception: whatever the iterable raises.
    """
    ids_of_batch: list[str] = []
    failure: Exception | None = None
    try:
        index = 0
        async for value in aiter_any(ids):
            ids_of_batch.append(parse_id(value, "extension_ids", index, tilde=True))
            index += 1
            if len(ids_of_batch) >= size():
                full, ids_of_batch = tuple(ids_of_batch), []
                yield full
    except Exception as error:  # Raised below, after the last batch.
        failure = error
    if ids_of_batch:
        yield tuple(ids_of_batch)
    if failure is not None:
        raise failure
