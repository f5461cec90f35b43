"""Parse and build the frames of RingCentral's WebSocket gateway.

A frame is a JSON array of a meta object and a body.
Source: RingCentral guide, "WebSockets".
"""

from typing import Any

import attrs

from ..errors import DecodeError
from ..redaction import Secret
from . import decoding

# The largest frame in bytes that is received. A response to a subscription repeats its filters:
# some 2,000 of them have been seen, which are 200 KB.
MAX_FRAME = 1024 * 1024
# Elements after the meta object; the documented number is one.
MAX_ELEMENTS = 1000
SUBSCRIPTION_PATH = "/restapi/v1.0/subscription"
# Characters of a recovery token, which is sent in a URL. A guess.
_MAX_TOKEN = 4096


@attrs.define
class RecoveryToken:
    """A token that recovers the session of a lost connection; `wsc` in a frame.

    Attributes:
        token: goes into the address of the next connection; a secret.
        sequence: of two tokens, the one with the higher sequence is the newer one.
    """

    token: str = attrs.field(repr=False)
    sequence: int


@attrs.define
class Frame:
    """A frame.

    Attributes:
        type: such as "ServerNotification".
        message_id: the id of the request that this responds to; None if there is none.
        status: an HTTP status; None if there is none.
        wsc: None if there is none, or none that can be used.
        body: parsed JSON of any type; None if there is none.
        is_extra: whether this is a further body of the frame before it.
    """

    type: str
    message_id: str | None
    status: int | None
    wsc: RecoveryToken | None
    body: Any = attrs.field(repr=False)
    is_extra: bool = False

    @property
    def is_error(self) -> bool:
        """Whether the frame reports an error."""
        return self.type == "Error" or (self.status or 0) >= 400


def parse(text: str) -> list[Frame]:
    """Parse the text of a frame.

    One meta object and one body are documented. Should more follow, each further element is the
    body of another frame: of its own meta object if one comes before it, else of the last one.

    Raises:
        DecodeError: it is not JSON, not an array that begins with an object with a type, or has
            more than `MAX_ELEMENTS` elements.
    """
    elements = decoding.parse_text(text)
    if not (isinstance(elements, list) and elements and _is_meta(elements[0])):
        raise DecodeError("not a frame of the gateway")
    meta, *bodies = elements
    if len(bodies) > MAX_ELEMENTS:
        raise DecodeError(f"the frame has more than {MAX_ELEMENTS} elements")
    if len(bodies) < 2:
        return [_frame(meta, *bodies)]
    return _parse_several(meta, bodies)


def _parse_several(meta: Any, elements: list[Any]) -> list[Frame]:
    frames = [_frame(meta, elements[0])]
    has_no_body = False  # Whether the last meta object has no body yet.
    for element in elements[1:]:
        if _is_meta(element) and "body" not in element:
            if has_no_body:
                frames.append(_frame(meta))
            meta, has_no_body = element, True
        else:
            frames.append(_frame(meta, element, is_extra=not has_no_body))
            has_no_body = False
    return [*frames, _frame(meta)] if has_no_body else frames


def _is_meta(element: Any) -> bool:
    return isinstance(element, dict) and isinstance(element.get("type"), str)


def _frame(meta: Any, body: Any = None, *, is_extra: bool = False) -> Frame:
    message_id, status = meta.get("messageId"), meta.get("status")
    return Frame(
        meta["type"],
        message_id if isinstance(message_id, str) else None,
        status if type(status) is int else None,
        _recovery_token(meta.get("wsc")),
        body,
        is_extra,
    )


def _recovery_token(value: Any) -> RecoveryToken | None:
    if not isinstance(value, dict):
        return None
    token, sequence = value.get("token"), value.get("sequence")
    is_usable = isinstance(token, str) and 0 < len(token) <= _MAX_TOKEN and token.isascii()
    return RecoveryToken(Secret(token), sequence) if is_usable and type(sequence) is int else None


def build_subscription_request(message_id: str, filters: tuple[str, ...]) -> str:
    """Build the request for one subscription to all filters; it replaces an earlier one."""
    meta = {
        "type": "ClientRequest",
        "messageId": message_id,
        "method": "POST",
        "path": f"{SUBSCRIPTION_PATH}/",
    }
    body = {"eventFilters": filters, "deliveryMode": {"transportType": "WebSocket"}}
    return decoding.dump([meta, body]).decode()


def build_heartbeat(message_id: str) -> str:
    """Build a heartbeat, which the gateway echoes."""
    return decoding.dump([{"type": "Heartbeat", "messageId": message_id}]).decode()
