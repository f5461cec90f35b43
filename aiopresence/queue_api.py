"""The calls about call queues, and how a call sends its request."""

from typing import TypeVar

from .ids import Id, parse_id
from .models import (
    CallQueuePresence,
    CallQueueUpdatePresence,
    ExtensionCallQueuePresenceList,
    ExtensionCallQueueUpdatePresenceList,
)
from .models.validation import Fields
from .protocol import endpoints
from .protocol.rest import Request, load_response
from .transport.requester import Requester

T = TypeVar("T")


class QueueApi:
    """The calls of a session about call queues; arguments and errors are those of `PresenceApi`."""

    def __init__(self, requester: Requester, account_id: Id) -> None:
        self.account_id = parse_id(account_id, "account_id", tilde=True)
        self._requester = requester

    async def read_call_queue_presence(
        self, group_id: Id, *, account_id: Id | None = None
    ) -> CallQueuePresence:
        """Read which members of a call queue accept its calls.

        Args:
            group_id: the extension id of the queue.
            account_id: its account; None is the account of the session.

        Source: "Get Call Queue Presence"; group Light, permission ReadPresence.
        Raises: see PresenceApi.
        """
        call = endpoints.read_call_queue_presence
        return await self._send(call(self._account(account_id), group_id))

    async def update_call_queue_presence(
        self,
        request_body: CallQueueUpdatePresence | Fields,
        *,
        group_id: Id,
        account_id: Id | None = None,
    ) -> CallQueuePresence:
        """Change which members of a call queue accept its calls and return the new state.

        Args:
            request_body: the members to change; others keep their state.
            group_id: the extension id of the queue.
            account_id: its account; None is the account of the session.

        Source: "Update Call Queue Presence"; group Medium, permission EditPresence.
        Raises: see PresenceApi.
        """
        call = endpoints.update_call_queue_presence
        return await self._send(call(self._account(account_id), group_id, request_body))

    async def read_extension_call_queue_presence(
        self,
        extension_id: Id = "~",
        *,
        account_id: Id | None = None,
        editable_member_status: bool | None = None,
    ) -> ExtensionCallQueuePresenceList:
        """Read from which call queues an extension accepts calls.

        Args:
            extension_id: the extension.
            account_id: its account; None is the account of the session.
            editable_member_status: only queues whose members may change this themselves.

        Source: "Get Agent's Call Queue Presence"; group Light, permission ReadPresence.
        Raises: see PresenceApi.
        """
        request = endpoints.read_extension_call_queue_presence(
            self._account(account_id), extension_id, editable_member_status=editable_member_status
        )
        return await self._send(request)

    async def update_extension_call_queue_presence(
        self,
        request_body: ExtensionCallQueueUpdatePresenceList | Fields,
        *,
        extension_id: Id = "~",
        account_id: Id | None = None,
    ) -> ExtensionCallQueuePresenceList:
        """Change from which call queues an extension accepts calls and return the new state.

        Args:
            request_body: the queues to change; others keep their state.
            extension_id: the extension.
            account_id: its account; None is the account of the session.

        Source: "Update Call Queue Presence" of an agent; group Medium, permission EditPresence.
        Raises: see PresenceApi.
        """
        call = endpoints.update_extension_call_queue_presence
        return await self._send(call(self._account(account_id), extension_id, request_body))

    def _account(self, account_id: Id | None) -> Id:
        return self.account_id if account_id is None else account_id

    async def _send(self, request: Request[T]) -> T:
        """Send a request and return the record in its response."""
        return load_response(await self._requester.send(request), request.model)
