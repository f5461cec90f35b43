"""The frames of RingCentral's WebSocket gateway: text in, typed frame out, and back.

Every frame is a JSON array of meta data and a body.
Source: RingCentral guide, "WebSockets".
"""

from typing import Any

import attrs

from ..errors import ApiError, DecodeError
from ..secret import Secret
from . import convert
from .wire import Response, refusal_of

# The largest frame that is read. An answer to a subscription repeats its filters: some 2,000 of
# them have been seen, which are 200 KB.
MAX_FRAME = 1024 * 1024
SUBSCRIPTION_PATH = "/restapi/v1.0/subscription"
# A token for recovery travels in a URL.
_MAX_WSC = 4096


@attrs.frozen
class Wsc:
    """What a lost connection can be continued with.

    Attributes:
        token: goes into the address of the next connection; a secret.
        sequence: of two, the one with the higher sequence is the newer one.
    """

    token: str = attrs.field(repr=False)
    sequence: int


@attrs.frozen
class Frame:
    """One frame.

    Attributes:
        type: what it is, such as "ServerNotification".
        message_id: ties an answer to what was sent; None when there is none.
        status: an HTTP status; None when there is none.
        wsc: None when there is none, or none that can be used.
        body: parsed JSON, whatever it is.
    """

    type: str
    message_id: str | None
    status: int | None
    wsc: Wsc | None
    body: Any = attrs.field(repr=False)


def read(text: str) -> Frame:
    """Read a frame.

    Raises:
        DecodeError: it is not JSON, or not an array that begins with an object with a type.
    """
    parts = convert.parse(text.encode(errors="surrogatepass"))
    meta = parts[0] if isinstance(parts, list) and parts else None
    kind = meta.get("type") if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or not isinstance(kind, str):
        raise DecodeError("not a frame of the gateway")
    message_id, status = meta.get("messageId"), meta.get("status")
    return Frame(
        kind,
        message_id if isinstance(message_id, str) else None,
        status if type(status) is int else None,
        _wsc(meta.get("wsc")),
        parts[1] if len(parts) > 1 else None,
    )


def _wsc(value: Any) -> Wsc | None:
    if not isinstance(value, dict):
        return None
    token, sequence = value.get("token"), value.get("sequence")
    usable = isinstance(token, str) and 0 < len(token) <= _MAX_WSC and token.isascii()
    return Wsc(Secret(token), sequence) if usable and type(sequence) is int else None


def subscribe(message_id: str, filters: tuple[str, ...]) -> str:
    """Write the request for one subscription to all filters; it replaces an earlier one."""
    meta = {
        "type": "ClientRequest",
        "messageId": message_id,
        "method": "POST",
        "path": f"{SUBSCRIPTION_PATH}/",
    }
    body = {"eventFilters": filters, "deliveryMode": {"transportType": "WebSocket"}}
    return convert.dump([meta, body]).decode()


def heartbeat(message_id: str) -> str:
    """Write a heartbeat, which the gateway echoes."""
    return convert.dump([{"type": "Heartbeat", "messageId": message_id}]).decode()


# What an error without a status means: the gateway may send the code alone.
_STATUS = {"CMN-1": 400, "CMN-2": 500, "CMN-3": 429, "CMN-4": 403, "OAU-": 401, "SUB-": 400}


def refusal(frame: Frame) -> ApiError:
    """Give the error that a frame with an error in it means."""
    code = frame.body.get("errorCode") if isinstance(frame.body, dict) else None
    status = frame.status or 0
    if status < 400:
        status = next((s for start, s in _STATUS.items() if str(code).startswith(start)), 500)
    return refusal_of(Response(status, {}, b""), frame.body, excerpt=str(code or ""))
