"""The nine presence calls, by RingCentral's own names and parameters."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

from .concurrency import run_cooperatively
from .errors import DecodeError
from .ids import Id, parse_id
from .models import (
    AccountPresenceInfo,
    CallQueuePresence,
    CallQueueUpdatePresence,
    ExtensionCallQueuePresenceList,
    ExtensionCallQueueUpdatePresenceList,
    GetPresenceInfo,
    PresenceInfoRequest,
    PresenceInfoResponse,
    UnifiedPresence,
    UpdateUnifiedPresence,
)
from .protocol import batch, endpoints, paging
from .protocol.paging import PageRequest
from .protocol.rest import Request, Response, load
from .redaction import StripTraceback

T = TypeVar("T")
Plain = Mapping[str, Any]


class PresenceCalls(ABC):
    """The nine calls of a session.

    What holds for all of them: ids are digits, as str or int, and "~" is the caller's own;
    `account_id=None` means the session's. Booleans of None are not sent, which RingCentral takes
    as False. Request bodies are records, or plain mappings with the records' field names.

    Raises, all of them:
        UsageError: an argument is wrong; nothing was sent.
        AuthError, PermissionDenied, NotFound, InvalidRequest, RateLimited: RingCentral refused;
            nothing was changed. RateLimited also when `max_wait` is too short.
        ServerError: RingCentral failed. A write may have been applied.
        ConnectionFailed, Timeout: the request or its answer was lost. A write may have been
            applied: read before writing again.
        DecodeError: the answer makes no sense. A write has been applied.

    The session stays usable after any of them.
    """

    account_id: str

    @abstractmethod
    def _check_open(self) -> None:
        """Raise UsageError unless the session is open, and on the running event loop."""

    @abstractmethod
    async def _send(self, request: Request[Any]) -> Response:
        """Send a request with a token; give a successful answer or raise."""

    def _account(self, account_id: Id | None) -> Id:
        return self.account_id if account_id is None else account_id

    async def _call(self, request: Request[T]) -> T:
        response = await self._answer(request)
        with StripTraceback():
            return load(response.body, request.answer)

    async def _call_page(self, request: PageRequest) -> AccountPresenceInfo:
        response = await self._answer(request)
        with StripTraceback():
            return await run_cooperatively(paging.read(response.body))

    async def _answer(self, request: Request[Any]) -> Response:
        response = await self._send(request)
        if response.status != 200:
            raise DecodeError(f"HTTP {response.status} is no answer to this call")
        return response

    async def _call_one(self, extension_id: Id, request: Request[T]) -> T:
        # A batch of one, so that the record is checked to be that extension's.
        response = await self._send(request)
        return batch.read(
            (parse_id(extension_id, "extension_id", tilde=True),), response, request.answer
        )[0].unwrap()

    async def read_user_presence_status(
        self,
        extension_id: Id = "~",
        *,
        account_id: Id | None = None,
        detailed_telephony_state: bool | None = None,
        sip_data: bool | None = None,
    ) -> GetPresenceInfo:
        """Read the presence of one extension. For several, see `read_user_presence_statuses`.

        Args:
            extension_id: whose presence.
            account_id: of which account; None means the session's.
            detailed_telephony_state: also give `active_calls`; None and False do not.
            sip_data: also give their `sip_data`, and with it `active_calls`; None and False do not.

        Raises:
            PresenceError: see PresenceCalls.

        Source: RingCentral API reference, "Get User Presence Status"; group Light, permission
        ReadPresence.
        """
        request = endpoints.read_user_presence_status(
            self._account(account_id),
            (extension_id,),
            detailed_telephony_state=detailed_telephony_state,
            sip_data=sip_data,
        )
        return await self._call_one(extension_id, request)

    async def update_user_presence_status(
        self,
        request_body: PresenceInfoRequest | Plain | None = None,
        *,
        extension_id: Id = "~",
        account_id: Id | None = None,
    ) -> PresenceInfoResponse:
        """Change the presence of one User extension, and give what it then is.

        Args:
            request_body: what to change; None changes nothing.
            extension_id: whose presence.
            account_id: of which account; None means the session's.

        Raises:
            PresenceError: see PresenceCalls.

        Source: RingCentral API reference, "Update User Presence Status"; group Medium, permission
        EditPresence.
        """
        account = self._account(account_id)
        request = endpoints.update_user_presence_status(account, extension_id, request_body)
        return await self._call_one(extension_id, request)

    async def read_account_presence(
        self,
        *,
        account_id: Id | None = None,
        detailed_telephony_state: bool | None = None,
        sip_data: bool | None = None,
        page: int | None = None,
        per_page: int | None = None,
    ) -> AccountPresenceInfo:
        """Read one page of the presence of an account. For all, see `iter_account_presence`.

        Args:
            account_id: of which account; None means the session's.
            detailed_telephony_state: also give `active_calls`; None and False do not.
            sip_data: also give their `sip_data`, and with it `active_calls`; None and False do not.
            page: which page, from 1; None is the first.
            per_page: records on a page; None is 100, and RingCentral gives 1,000 at most.

        Raises:
            PresenceError: see PresenceCalls.

        Source: RingCentral API reference, "Get User Presence Status List"; group Heavy, permission
        ReadPresence.
        """
        return await self._call_page(
            endpoints.read_account_presence(
                self._account(account_id),
                detailed_telephony_state=detailed_telephony_state,
                sip_data=sip_data,
                page=page,
                per_page=per_page,
            )
        )

    async def read_call_queue_presence(
        self, group_id: Id, *, account_id: Id | None = None
    ) -> CallQueuePresence:
        """Read which members take the calls of a call queue.

        Args:
            group_id: the internal id of the queue's extension.
            account_id: of which account; None means the session's.

        Raises:
            PresenceError: see PresenceCalls.

        Source: RingCentral API reference, "Get Call Queue Presence"; group Light, permission
        ReadPresence.
        """
        return await self._call(
            endpoints.read_call_queue_presence(self._account(account_id), group_id)
        )

    async def update_call_queue_presence(
        self,
        request_body: CallQueueUpdatePresence | Plain,
        *,
        group_id: Id,
        account_id: Id | None = None,
    ) -> CallQueuePresence:
        """Change which members take the calls of a call queue, and give what it then is.

        Args:
            request_body: the members to change; others stay as they are.
            group_id: the internal id of the queue's extension.
            account_id: of which account; None means the session's.

        Raises:
            PresenceError: see PresenceCalls.

        Source: RingCentral API reference, "Update Call Queue Presence"; group Medium, permission
        EditPresence.
        """
        account = self._account(account_id)
        return await self._call(
            endpoints.update_call_queue_presence(account, group_id, request_body)
        )

    async def read_extension_call_queue_presence(
        self,
        extension_id: Id = "~",
        *,
        account_id: Id | None = None,
        editable_member_status: bool | None = None,
    ) -> ExtensionCallQueuePresenceList:
        """Read which call queues an extension takes calls of.

        Args:
            extension_id: whose queues.
            account_id: of which account; None means the session's.
            editable_member_status: only the queues whose members may change this by themselves.

        Raises:
            PresenceError: see PresenceCalls.

        Source: RingCentral API reference, "Get Agent's Call Queue Presence"; group Light,
        permission ReadPresence.
        """
        return await self._call(
            endpoints.read_extension_call_queue_presence(
                self._account(account_id),
                extension_id,
                editable_member_status=editable_member_status,
            )
        )

    async def update_extension_call_queue_presence(
        self,
        request_body: ExtensionCallQueueUpdatePresenceList | Plain,
        *,
        extension_id: Id = "~",
        account_id: Id | None = None,
    ) -> ExtensionCallQueuePresenceList:
        """Change which call queues an extension takes calls of, and give what it then is.

        Args:
            request_body: the queues to change; others stay as they are.
            extension_id: whose queues.
            account_id: of which account; None means the session's.

        Raises:
            PresenceError: see PresenceCalls.

        Source: RingCentral API reference, "Update Call Queue Presence" of an agent; group Medium,
        permission EditPresence.
        """
        account = self._account(account_id)
        return await self._call(
            endpoints.update_extension_call_queue_presence(account, extension_id, request_body)
        )

    async def read_unified_presence(
        self, extension_id: Id = "~", *, account_id: Id | None = None
    ) -> UnifiedPresence:
        """Read one user's presence in messaging, on the phone and in meetings.

        Args:
            extension_id: whose presence.
            account_id: of which account; None means the session's.

        Raises:
            PresenceError: see PresenceCalls.

        Source: RingCentral API reference, "Get Unified Presence"; group Medium, permission
        ReadPresence.
        """
        account = self._account(account_id)
        request = endpoints.read_unified_presence(account, (extension_id,))
        return await self._call_one(extension_id, request)

    async def update_unified_presence(
        self,
        request_body: UpdateUnifiedPresence | Plain,
        *,
        extension_id: Id = "~",
        account_id: Id | None = None,
    ) -> UnifiedPresence:
        """Change one user's unified presence, and give what it then is.

        Args:
            request_body: what to change.
            extension_id: whose presence.
            account_id: of which account; None means the session's.

        Raises:
            PresenceError: see PresenceCalls.

        Source: RingCentral API reference, "Update Unified Presence"; group Medium, permission
        EditPresence.
        """
        account = self._account(account_id)
        return await self._call(
            endpoints.update_unified_presence(account, extension_id, request_body)
        )
