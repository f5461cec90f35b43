"""The frames of RingCentral's WebSocket gateway: text in, typed frame out, and back.

Every frame is a JSON array of meta data and a body.
Source: RingCentral guide, "WebSockets".
"""

from typing import Any

import attrs

from ..errors import ApiError, DecodeError
from ..redaction import Secret
from . import decoding
from .rest import Response, code_of, refusal_of

# The largest frame that is read. An answer to a subscription repeats its filters: some 2,000 of
# them have been seen, which are 200 KB.
MAX_FRAME = 1024 * 1024
# The documented number is two.
MAX_ELEMENTS = 1000
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
        body: parsed JSON, whatever it is; None when there is none.
        is_extra: whether it is a further body of the frame before it.
    """

    type: str
    message_id: str | None
    status: int | None
    wsc: Wsc | None
    body: Any = attrs.field(repr=False)
    is_extra: bool = False


def read(text: str) -> list[Frame]:
    """Parse the text of a frame.

    The documentation knows one meta object and one body. Should more follow, each further element
    is the body of another frame: of its own meta object, if one comes before it, else of the last.

    Raises:
        DecodeError: it is not JSON, or not an array that begins with an object with a type.
    """
    parts = decoding.parse(text.encode(errors="surrogatepass"))
    elements: list[Any] = parts if isinstance(parts, list) and parts else [None]
    meta, *rest = elements
    if not _is_meta(meta):
        raise DecodeError("not a frame of the gateway")
    if len(rest) > MAX_ELEMENTS:
        raise DecodeError(f"a frame of more than {MAX_ELEMENTS} elements")
    if len(rest) < 2:
        return [_frame(meta, *rest)]
    found = [_frame(meta, rest[0])]
    waiting = False  # Whether the meta object has no body yet.
    for part in rest[1:]:
        if _is_meta(part) and "body" not in part:
            found += [_frame(meta)] if waiting else []
            meta, waiting = part, True
        else:
            found.append(_frame(meta, part, is_extra=not waiting))
            waiting = False
    return [*found, _frame(meta)] if waiting else found


def _is_meta(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("type"), str)


def _frame(meta: Any, body: Any = None, *, is_extra: bool = False) -> Frame:
    message_id, status = meta.get("messageId"), meta.get("status")
    return Frame(
        meta["type"],
        message_id if isinstance(message_id, str) else None,
        status if type(status) is int else None,
        _wsc(meta.get("wsc")),
        body,
        is_extra,
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
    return decoding.dump([meta, body]).decode()


def heartbeat(message_id: str) -> str:
    """Write a heartbeat, which the gateway echoes."""
    return decoding.dump([{"type": "Heartbeat", "messageId": message_id}]).decode()


# What an error without a status means: the gateway may send the code alone.
_STATUS = {"CMN-1": 400, "CMN-2": 500, "CMN-3": 429, "CMN-4": 403, "OAU-": 401, "SUB-": 400}


def refusal(frame: Frame) -> ApiError:
    """Give the error that a frame with an error in it means."""
    code = code_of(frame.body)
    status = frame.status or 0
    if status < 400:
        status = next((s for start, s in _STATUS.items() if str(code).startswith(start)), 500)
    return refusal_of(Response(status, {}, b""), frame.body, excerpt=str(code or ""))
