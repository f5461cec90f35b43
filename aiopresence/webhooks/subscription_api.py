"""The calls that make, renew and end a subscription by webhook.

Source: RingCentral API reference, "Subscriptions".
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..errors import (
    ApiError,
    DecodeError,
    PermissionDenied,
    PresenceError,
)
from ..filters import account_presence
from ..models import SubscriptionInfo
from ..models.validation import seconds
from ..protocol import decoding
from ..protocol.event_parsing import check_filters
from ..protocol.rest import Response
from ..protocol.urls import webhook_address
from ..redaction import Secret, WithoutFrames

if TYPE_CHECKING:
    from ..session import PresenceSession

# Seconds for which a subscription can be requested: RingCentral grants decades, and reads an int.
_LONGEST = 2.0**31 - 1
_PATH = "/restapi/v1.0/subscription"
# It goes into paths. RingCentral's are UUIDs; whatever else looks like a name is as good.
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)


class SubscriptionCalls:
    """What can be done about one subscription.

    Args:
        session: what to ask with.
        address: the webhook's.
        event_filters: what to be notified of; None for the presence of the account.
        expires_in: the seconds it is to live, or a timedelta; None leaves it to RingCentral.
        key: the secret that RingCentral is to show.

    Raises:
        UsageError: an argument is wrong.
    """

    def __init__(
        self,
        session: "PresenceSession",
        address: str,
        event_filters: Iterable[str] | None,
        expires_in: int | timedelta | None,
        key: Secret,
    ) -> None:
        self._session = session
        self._key = key
        filters = [account_presence()] if event_filters is None else event_filters
        self._filters = check_filters(filters)
        mode = {
            "transportType": "WebHook",
            "address": webhook_address(address),
            "verificationToken": key,
        }
        self._body: dict[str, Any] = {"eventFilters": self._filters, "deliveryMode": mode}
        if expires_in is not None:
            self._body["expiresIn"] = max(1, int(seconds("expires_in", expires_in, most=_LONGEST)))

    async def create(self) -> SubscriptionInfo:
        """Subscribe.

        Raises:
            PermissionDenied: it may bring nothing at all; it is deleted again.
            PresenceError: it was refused, or the answer makes no sense.
        """
        info = await self._call("POST", _PATH, self._body)
        if info.id is None or not _ID.fullmatch(info.id):
            del info  # Tracebacks are shown with locals, and it may repeat the secret.
            raise DecodeError("expected an id", "$.id")
        try:
            self.check(info)
        except PermissionDenied:
            with suppress(PresenceError):  # It expires by itself.
                await self.delete(info.id)
            raise
        return info

    async def renew(self, id_: str) -> SubscriptionInfo:
        """Let it live as long again; PresenceError as of any call."""
        return await self._call("POST", f"{_PATH}/{id_}/renew")

    async def read(self, id_: str) -> SubscriptionInfo:
        """Look at it; PresenceError as of any call."""
        return await self._call("GET", f"{_PATH}/{id_}")

    async def delete(self, id_: str) -> None:
        """End it; PresenceError as of any call."""
        await self._request("DELETE", f"{_PATH}/{id_}")

    def check(self, info: SubscriptionInfo) -> None:
        """Raise PermissionDenied when it brings nothing: every filter is disabled."""
        disabled = info.disabled_filters or ()
        # Counted, not compared: RingCentral may write real ids where we wrote "~".
        if len(disabled) >= len(self._filters):
            first = disabled[0]
            words = f"every event filter is disabled: {first.message or first.reason}"
            raise PermissionDenied(403, first.reason, self._clean(words))

    async def _call(self, method: str, path: str, body: Any = None) -> SubscriptionInfo:
        response = await self._request(method, path, body)
        with WithoutFrames():
            return decoding.load(response.body, SubscriptionInfo)

    async def _request(self, method: str, path: str, body: Any = None) -> Response:
        try:
            return await self._session._request(method, path, json=body)
        except ApiError as error:
            fault: PresenceError = self._cleaned(error)
        except PresenceError as error:
            fault = error
        # Without the traceback, which holds the body that was sent, and so the secret.
        raise fault.with_traceback(None)

    def _cleaned(self, error: ApiError) -> ApiError:
        """Take our secret out of an error, should RingCentral have repeated it."""
        error.error_code = self._clean(error.error_code)
        error.message = self._clean(error.message)
        error.parameter_name = self._clean(error.parameter_name)
        error.args = (error.http_status, error.error_code, error.message, error.parameter_name)
        error.body = ""  # It may be cut off, or escaped, in the middle of the secret.
        return error

    def _clean(self, text: str | None) -> str | None:
        # By its beginning: a long message is cut off.
        return "***" if text and self._key[:8] in text else text
