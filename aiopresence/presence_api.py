"""The presence calls: RingCentral's, by its own names and parameters, and the bulk calls."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from .bulk_writer import BulkWriter, Change, Changes
from .directory import Directory
from .ids import Id, Ids, parse_id
from .models import (
    AccountPresenceInfo,
    GetPresenceInfo,
    PresenceInfoRequest,
    PresenceInfoResponse,
    UnifiedPresence,
    UpdateUnifiedPresence,
)
from .models.validation import Fields, as_record
from .protocol import batch, endpoints
from .protocol.endpoints import ReadOptions
from .protocol.outcome import BatchResult, Outcome
from .protocol.rest import Request
from .queue_api import QueueApi
from .readers import Readers
from .route_reader import RouteReader
from .routed_read import Route
from .temporary_presence import OpenBlocks, TemporaryPresence, temporary_presence
from .transport.instrumentation import Instrumentation
from .transport.requester import Requester

T = TypeVar("T")


class PresenceApi(QueueApi):
    """The presence calls of a session.

    Ids are digits, as str or int; "~" is the caller's own extension. `account_id=None` is the
    account of the session. A flag of None is not sent, which RingCentral takes as False. Request
    bodies are records, or mappings with the field names of the records. The source of each call is
    its page in RingCentral's API reference, with its usage-plan group and permission.

    Raises, from every call; the session stays usable:
        UsageError: an argument is wrong, or the session is not open. Nothing was sent.
        AuthError, PermissionDenied, NotFound, InvalidRequest, RateLimited: RingCentral refused the
            request; nothing was changed. RateLimited also when `max_wait` is too short.
        ServerError: RingCentral failed. A write may have been applied.
        ConnectionFailed, Timeout: the request or its response was lost. A write may have been
            applied: read before writing again.
        DecodeError: the response is not what RingCentral documents. A write has been applied.
    """

    def __init__(
        self,
        requester: Requester,
        instrumentation: Instrumentation,
        readers: Readers,
        *,
        account_id: Id,
    ) -> None:
        super().__init__(requester, account_id)
        self._readers = readers
        # Kept by the blocks themselves.
        self._open_blocks: WeakValueDictionary[str, OpenBlocks] = WeakValueDictionary()
        self._bulk_writer = BulkWriter(requester, instrumentation, readers.concurrency)
        self._route_reader = RouteReader(readers, requester, instrumentation, self.account_id)

    async def read_user_presence_status(
        self,
        extension_id: Id = "~",
        *,
        account_id: Id | None = None,
        detailed_telephony_state: bool | None = None,
        sip_data: bool | None = None,
    ) -> GetPresenceInfo:
        """Read the presence of one extension. For several, use `read_user_presence_statuses`.

        Args:
            extension_id: the extension.
            account_id: its account; None is the account of the session.
            detailed_telephony_state: include `active_calls`.
            sip_data: include `active_calls` and their `sip_data`.

        Source: "Get User Presence Status"; group Light, permission ReadPresence.
        Raises: see PresenceApi.
        """
        options = ReadOptions(self._account(account_id), detailed_telephony_state, sip_data)
        request = endpoints.read_user_presence_status(options, (extension_id,))
        return await self._send_for(extension_id, request)

    async def read_user_presence_statuses(
        self,
        extension_ids: Iterable[Id],
        *,
        account_id: Id | None = None,
        detailed_telephony_state: bool | None = None,
        sip_data: bool | None = None,
        route: Route = "batches",
    ) -> BatchResult[GetPresenceInfo]:
        """Read the presence of any number of extensions.

        Args:
            extension_ids: the extensions. Duplicates are requested once and have an outcome each.
                "~" takes a request of its own.
            account_id: their account; None is the account of the session.
            detailed_telephony_state: include `active_calls`.
            sip_data: include `active_calls` and their `sip_data`.
            route: "batches" reads 30 ids with each request, of group Light. "account" lists the
                account, 1,000 extensions with each request of group Heavy, and reads in batches
                what it does not list. "fastest" does what is complete first, if need be both at
                once. The account must be the session's; for another one all are "batches".

        Returns:
            One outcome per id, in the order of the ids. Its `route` is what was done.

        Raises:
            UsageError: an argument is wrong, or the session is not open. Nothing was sent.
            AuthError: the credentials or the token were refused. Every other error is in the
                outcomes of the ids it concerns.

        Source: "Get User Presence Status" (and its "List"); permission ReadPresence.
        """
        options = ReadOptions(self._account(account_id), detailed_telephony_state, sip_data)
        return await self._route_reader.read(extension_ids, options, route)

    def iter_user_presence_statuses(
        self,
        extension_ids: Ids,
        *,
        account_id: Id | None = None,
        detailed_telephony_state: bool | None = None,
        sip_data: bool | None = None,
        route: Route = "batches",
    ) -> AsyncGenerator[Outcome[GetPresenceInfo], None]:
        """Read the presence of any number of extensions in bounded memory, outcome by outcome.

        By route "batches", a batch is sent when it is full; duplicates are requested once within
        a batch only. By another one, up to 50,000 ids are read and held at a time; fewer when no id
        comes for a second, or after five.

        Args:
            extension_ids: the extensions, as an iterable or an async iterable, which is consumed
                only as fast as the outcomes are.
            account_id: their account; None is the account of the session.
            detailed_telephony_state: include `active_calls`.
            sip_data: include `active_calls` and their `sip_data`.
            route: as for `read_user_presence_statuses`.

        Yields:
            One outcome per id, in the order of the ids.

        Raises:
            UsageError: at once if an argument is wrong; if an id is wrong, after the outcomes of
                the ids before it. An error of the iterable is raised in the same way.
            AuthError: the credentials or the token were refused.
        """
        options = ReadOptions(self._account(account_id), detailed_telephony_state, sip_data)
        return self._route_reader.iterate(extension_ids, options, route)

    async def update_user_presence_status(
        self,
        request_body: Change | None = None,
        *,
        extension_id: Id = "~",
        account_id: Id | None = None,
    ) -> PresenceInfoResponse:
        """Change the presence of one User extension and return the new presence.

        Args:
            request_body: the fields to change; None changes nothing.
            extension_id: the extension.
            account_id: its account; None is the account of the session.

        Source: "Update User Presence Status"; group Medium, permission EditPresence.
        Raises: see PresenceApi.
        """
        call = endpoints.update_user_presence_status
        request = call(self._account(account_id), extension_id, request_body)
        return await self._send_for(extension_id, request)

    def temporary_presence(
        self, change: Change, *, extension_id: Id = "~", account_id: Id | None = None
    ) -> AbstractAsyncContextManager[TemporaryPresence]:
        """Change the presence of one User extension for the time of an `async with` block.

        It reads the presence, changes it, and at the end of the block restores the fields that
        still have the values of the change: those that somebody else has changed meanwhile stay.
        When the block ends with an error, or is cancelled, they are restored, too.

        Blocks of one session may overlap: the last one to end restores what was there before the
        first.

        Args:
            change: the fields to change.
            extension_id: the extension.
            account_id: its account; None is the account of the session.

        Raises:
            RestoreFailed: the change could not be undone; its `remaining` says what may still be
                changed. If the block has raised an error, that one is raised, with a note.
            PresenceError: the presence could not be changed; see PresenceApi.

        Source: "Update User Presence Status"; groups Light and Medium, permissions ReadPresence and
        EditPresence.
        """
        id_, account = parse_id(extension_id, "extension_id", tilde=True), self._account(account_id)
        read = partial(self.read_user_presence_status, id_, account_id=account)
        write = partial(self.update_user_presence_status, extension_id=id_, account_id=account)
        blocks = self._open_blocks.setdefault(f"{account} {id_}", OpenBlocks())
        request = as_record(PresenceInfoRequest, change)
        return temporary_presence(id_, request, read, write, blocks)

    async def update_user_presence_statuses(
        self, request_bodies: Changes, *, account_id: Id | None = None
    ) -> BatchResult[PresenceInfoResponse]:
        """Change the presence of any number of User extensions, with one request each.

        Args:
            request_bodies: the fields to change, by extension id.
            account_id: their account; None is the account of the session.

        Returns:
            One outcome per id, in the order of the mapping.

        Raises:
            UsageError: an argument is wrong, or the session is not open. Nothing was sent.
            AuthError: the credentials or the token were refused. Changes made before that remain.
                Every other error is in the outcomes.

        Source: "Update User Presence Status"; group Medium, permission EditPresence.
        """
        account = self._account(account_id)
        return await self._bulk_writer.update_presence(request_bodies, account)

    async def read_account_presence(
        self,
        *,
        account_id: Id | None = None,
        detailed_telephony_state: bool | None = None,
        sip_data: bool | None = None,
        page: int | None = None,
        per_page: int | None = None,
    ) -> AccountPresenceInfo:
        """Read one page of the presence of an account. For all pages, use `iter_account_presence`.

        Args:
            account_id: the account; None is the account of the session.
            detailed_telephony_state: include `active_calls`.
            sip_data: include `active_calls` and their `sip_data`.
            page: the page number, from 1; None is the first page.
            per_page: records on a page, at most 1,000; None is 100.

        Source: "Get User Presence Status List"; group Heavy, permission ReadPresence.
        Raises: see PresenceApi.
        """
        options = ReadOptions(self._account(account_id), detailed_telephony_state, sip_data)
        return await self._readers.account_reader.read_page(options, page=page, per_page=per_page)

    def iter_account_presence(
        self,
        *,
        per_page: int = 1000,
        account_id: Id | None = None,
        detailed_telephony_state: bool | None = None,
        sip_data: bool | None = None,
    ) -> AsyncGenerator[GetPresenceInfo, None]:
        """Read the presence of every extension of an account, several pages at once.

        An extension that is added or removed during the read may shift others between pages: one
        may be missed, but none is yielded twice.

        Args:
            per_page: records on a page, at most 1,000.
            account_id: the account; None is the account of the session.
            detailed_telephony_state: include `active_calls`.
            sip_data: include `active_calls` and their `sip_data`.

        Yields:
            The presence of each extension, once.

        Raises:
            UsageError: an argument is wrong, or the session is not open. Nothing was sent.
            PresenceError: a page could not be read. The pages before it were yielded.

        Source: "Get User Presence Status List"; group Heavy, permission ReadPresence.
        """
        options = ReadOptions(self._account(account_id), detailed_telephony_state, sip_data)
        return self._readers.account_reader.iter_presence(options, per_page=per_page)

    async def read_directory(self, *, account_id: Id | None = None) -> Directory:
        """Read who the extensions are: names, extension numbers, e-mail addresses and more.

        `find`, `search` and `ids` of the result turn these into the ids that calls take. One page
        of 2,000 extensions is read after another. Where the directory is not allowed or not part of
        the plan, the list of extensions is read. Contacts of other accounts are left out.

        Args:
            account_id: the account; None is the account of the session.

        Source: "List Company Directory Entries", else "List Extensions"; group Medium, permission
            ReadAccounts.
        Raises: see PresenceApi.
        """
        return await self._readers.directory_reader.read(
            parse_id(self._account(account_id), "account_id", tilde=True)
        )

    async def read_unified_presence(
        self, extension_id: Id = "~", *, account_id: Id | None = None
    ) -> UnifiedPresence:
        """Read one user's presence in messaging, on the phone and in meetings.

        Args:
            extension_id: the user's extension.
            account_id: its account; None is the account of the session.

        Source: "Get Unified Presence"; group Medium, permission ReadPresence.
        Raises: see PresenceApi.
        """
        request = endpoints.read_unified_presence(self._account(account_id), (extension_id,))
        return await self._send_for(extension_id, request)

    async def read_unified_presences(
        self, extension_ids: Iterable[Id], *, account_id: Id | None = None
    ) -> BatchResult[UnifiedPresence]:
        """Read the unified presence of any number of users, in batches of at most 30.

        Arguments, result and errors as `read_user_presence_statuses`; group Medium.
        """
        return await self._readers.batch_reader.read_unified(
            extension_ids, self._account(account_id)
        )

    def iter_unified_presences(
        self, extension_ids: Ids, *, account_id: Id | None = None
    ) -> AsyncGenerator[Outcome[UnifiedPresence], None]:
        """Read the unified presence of any number of users in bounded memory.

        Arguments, outcomes and errors as `iter_user_presence_statuses`; group Medium.
        """
        return self._readers.batch_reader.iter_unified(extension_ids, self._account(account_id))

    async def update_unified_presence(
        self,
        request_body: UpdateUnifiedPresence | Fields,
        *,
        extension_id: Id = "~",
        account_id: Id | None = None,
    ) -> UnifiedPresence:
        """Change one user's unified presence and return the new presence.

        Args:
            request_body: the parts to change.
            extension_id: the user's extension.
            account_id: its account; None is the account of the session.

        Source: "Update Unified Presence"; group Medium, permission EditPresence.
        Raises: see PresenceApi.
        """
        account = self._account(account_id)
        request = endpoints.update_unified_presence(account, extension_id, request_body)
        return await self._send(request)

    async def _send_for(self, extension_id: Id, request: Request[T]) -> T:
        """Send a request and return the record of one extension; DecodeError if it is another's."""
        response = await self._requester.send(request)
        # Read as a batch of one id, because that checks whose record it is.
        ids = (parse_id(extension_id, "extension_id", tilde=True),)
        return batch.read(ids, response, request.model)[0].unwrap()
