"""The requests that create, read, renew and delete a webhook subscription.

Source: RingCentral API reference, "Subscriptions".
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..errors import (
    DecodeError,
    PermissionDenied,
    PresenceError,
    UsageError,
)
from ..filters import account_presence
from ..models import SubscriptionInfo
from ..models.validation import seconds
from ..protocol import decoding
from ..protocol.event_filters import check_filters, redact
from ..protocol.rest import Response
from ..protocol.urls import webhook_address
from ..redaction import Secret, StripTraceback

if TYPE_CHECKING:
    from ..session import PresenceSession

# The longest lifetime in seconds: RingCentral grants decades, and reads an int32 (a guess).
_LONGEST = 2.0**31 - 1
_PATH = "/restapi/v1.0/subscription"
# Ids become part of paths. RingCentral sends UUIDs; any other plain name is accepted as well.
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)


class SubscriptionApi:
    """The requests for one webhook subscription.

    Args:
        session: sends the requests.
        address: the URL of the webhook.
        event_filters: what to be notified of; None for the presence of the whole account.
        expires_in: the lifetime in seconds, or a timedelta; None for RingCentral's default.
        token: the verification token that RingCentral sends with each notification.

    Raises:
        UsageError: an argument is wrong.
    """

    def __init__(
        self,
        session: "PresenceSession",
        address: str,
        event_filters: Iterable[str] | None,
        expires_in: int | timedelta | None,
        token: Secret,
    ) -> None:
        if not hasattr(session, "_requester"):
            raise UsageError("session must be a PresenceSession")
        self._session = session
        self._token = token
        self._redactor = session._requester.redactor
        filters = [account_presence()] if event_filters is None else event_filters
        self._filters = check_filters(filters)
        mode = {
            "transportType": "WebHook",
            "address": webhook_address(address),
            "verificationToken": token,
        }
        self._body: dict[str, Any] = {"eventFilters": self._filters, "deliveryMode": mode}
        if expires_in is not None:
            self._body["expiresIn"] = max(1, int(seconds("expires_in", expires_in, most=_LONGEST)))

    async def create(self) -> SubscriptionInfo:
        """Create the subscription.

        Raises:
            PermissionDenied: every filter is disabled; the subscription is deleted again.
            DecodeError: the response has no valid id.
            PresenceError: as any request.
        """
        info = await self._call("POST", _PATH, self._body)
        if info.id is None or not _ID.fullmatch(info.id):
            del info  # it may repeat the token, and tracebacks are shown with locals
            raise DecodeError("expected an id", "$.id")
        try:
            self.check(info)
        except PermissionDenied:
            with suppress(PresenceError):  # the subscription expires by itself
                await self.delete(info.id)
            raise
        return info

    async def renew(self, id_: str) -> SubscriptionInfo:
        """Renew the subscription for its whole lifetime; raise PresenceError as any request."""
        return await self._call("POST", f"{_PATH}/{id_}/renew")

    async def read(self, id_: str) -> SubscriptionInfo:
        """Return the subscription; raise PresenceError as any request."""
        return await self._call("GET", f"{_PATH}/{id_}")

    async def delete(self, id_: str) -> None:
        """Delete the subscription; raise PresenceError as any request."""
        await self._request("DELETE", f"{_PATH}/{id_}")

    def check(self, info: SubscriptionInfo) -> None:
        """Raise PermissionDenied when every filter is disabled."""
        disabled = info.disabled_filters or ()
        # Counted, not compared: RingCentral may return real ids where the request has "~".
        if len(disabled) >= len(self._filters):
            first = disabled[0]
            message = f"every event filter is disabled: {first.message or first.reason}"
            raise PermissionDenied(403, first.reason, message)

    async def _call(self, method: str, path: str, body: Any = None) -> SubscriptionInfo:
        response = await self._request(method, path, body)
        with StripTraceback():
            return redact(decoding.load(response.body, SubscriptionInfo), self._redactor)

    async def _request(self, method: str, path: str, body: Any = None) -> Response:
        self._redactor.add(self._token)
        try:
            return await self._session._request(method, path, json=body)
        except PresenceError as error:
            failure = error
        # Without the traceback, whose frames hold the request body, and so the token.
        raise failure.with_traceback(None)
