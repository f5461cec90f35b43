"""One WebSocket session: what is said on it, and what is kept for after a lost connection."""

import json
import re
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

import attrs

from ..event_filters import Filter
from ..notifications import Feed, timestamp
from ..request_body import parse_json
from ..responses import Body, RefusedError, bad, error_body
from .options import GatewayPlan

FrameKind = Literal["details", "answer", "error", "heartbeat", "notification"]

WSC = re.compile(r"SandboxWsc-[0-9a-f-]{36}\.[0-9]{1,18}")  # a recovery token

_SUBSCRIPTIONS = ("/restapi/v1.0/subscription", "/restapi/v1.0/subscription/")
_LIFE = 604800  # seconds that a subscription is said to live; a guess, as renewal is automatic


@attrs.frozen
class Frame:
    """A frame on its way to the client."""

    kind: FrameKind
    text: str | bytes


def write(kind: FrameKind, meta: Body, *body: object) -> Frame:
    """Write a frame: a JSON array of what it is and what it says."""
    return Frame(kind, json.dumps([meta, *body], ensure_ascii=False, separators=(",", ":")))


class Conversation:
    """One session. It does no input or output; whoever has the connection does.

    Args:
        plan: how the gateway behaves.
        feed: where notifications come from.
        base: scheme, host and port of the server, for links.
        began: when it began, in seconds of the loop's clock.
        refusal: tells why the next subscription is to be refused, or None.
        arrange: tells what is told in place of a notification, each with the seconds to wait.
        later: calls something after some seconds.

    Attributes:
        token: names this session; wsc tokens begin with it.
        outlet: takes notifications while there is a connection, else None.
        subscribed: the filters subscribed, none before.
    """

    def __init__(
        self,
        plan: GatewayPlan,
        feed: Feed,
        base: str,
        began: float,
        refusal: Callable[[], RefusedError | None],
        arrange: Callable[[str, Body], list[tuple[Body, float | None]]],
        later: Callable[[float, Callable[[Body], None], Body], object],
    ) -> None:
        self.token = f"SandboxWsc-{feed.new_id()}"
        self.began = began
        self.outlet: Callable[[Frame], None] | None = None
        self.subscribed: list[Filter] = []
        self._plan = plan
        self._feed = feed
        self._base = base
        self._refusal = refusal
        self._arrange = arrange
        self._later = later
        self._ended = False
        self._subscription: Body | None = None
        self._creation_time = timestamp()
        self._sequence = 1
        self._kept: deque[tuple[int, Frame]] = deque(maxlen=plan.recovery_buffer_size)
        self._stop: Callable[[], None] = lambda: None

    def greet(self, since: int | None = None, state: str | None = None) -> list[Frame]:
        """Write ConnectionDetails, and after a recovery all that was kept since.

        Args:
            since: the sequence that the client had got to; None for a client that is new.
            state: the recoveryState to tell, or None for a client that wanted no recovery.
        """
        start = self._sequence if since is None else since
        meta = self._meta("ConnectionDetails", status=200)
        meta["wsc"] = self._wsc(start)
        return [
            write("details", meta, self._details(state)),
            *(frame for sequence, frame in self._kept if sequence > start),
        ]

    def knows(self, sequence: int) -> bool:
        """Tell whether a sequence is one that this session has handed out."""
        return 1 <= sequence <= self._sequence

    def end(self) -> None:
        """Listen to the account no longer."""
        self._ended = True
        self._unsubscribe()

    def receive(self, text: str | bytes) -> Frame:
        """Answer a frame of the client's."""
        message = _read(text)
        if message is None:
            # Which code RingCentral sends for this is a guess.
            return self.error("WSG-901", "The message was not understood.", 400)
        meta, body = message
        if meta["type"] == "Heartbeat":
            return write("heartbeat", {"type": "Heartbeat", "messageId": meta["messageId"]})
        try:
            status, *answer = self._handle(meta, body)
        except RefusedError as error:
            return self._refused(error, meta["messageId"])
        return write(
            "answer", self._meta("ClientRequest", meta["messageId"], status=status), *answer
        )

    def error(self, code: str, message: str, status: int, message_id: str | None = None) -> Frame:
        """Write an Error frame."""
        meta = self._meta("Error", message_id, status=status)
        return write("error", meta, error_body(code, message))

    def _refused(self, error: RefusedError, message_id: str) -> Frame:
        kind = "ClientRequest" if self._plan.errors_as_answers else "Error"
        return write("answer", self._meta(kind, message_id, status=error.status), error.body)

    def _handle(self, meta: Body, body: object) -> tuple[int] | tuple[int, Body]:
        """Handle a request about the subscription; return the status and the body, if any."""
        path, method = str(meta.get("path")).partition("?")[0], meta.get("method")
        if method == "POST" and path in _SUBSCRIPTIONS:
            return 200, self._subscribe(self._feed.new_id(), body)
        if self._subscription is None or path != _SUBSCRIPTIONS[1] + self._subscription["id"]:
            raise RefusedError(404, "CMN-102", "There is no such resource.")
        if method == "PUT":
            return 200, self._subscribe(self._subscription["id"], body)
        if method == "DELETE":
            self._unsubscribe()
            return (204,)
        if method != "GET":
            raise RefusedError(405, "CMN-101", "The method is not allowed.")
        return 200, self._subscription

    def _unsubscribe(self) -> None:
        self._stop()
        self._subscription = None
        self.subscribed = []

    def _subscribe(self, subscription_id: str, body: object) -> Body:
        if refusal := self._refusal():
            raise refusal
        admitted = self._feed.admit(_wanted(body))
        self._stop()
        self.subscribed = admitted.active
        self._stop = self._feed.listen(subscription_id, admitted.active, self._notify)
        disabled = {"disabledFilters": admitted.disabled} if admitted.disabled else {}
        self._subscription = {
            "uri": f"{self._base}{_SUBSCRIPTIONS[0]}/{subscription_id}",
            "id": subscription_id,
            "creationTime": timestamp(),
            "eventFilters": [self._feed.shown(each) for each in admitted.active],
            **disabled,
            "expirationTime": timestamp(_LIFE),
            "expiresIn": _LIFE,
            "status": "Active",
            "deliveryMode": {"transportType": "WebSocket"},
        }
        return self._subscription

    def _notify(self, notification: Body) -> None:
        for each, seconds in self._arrange(self.token, notification):
            if seconds is None:
                self.tell(each)
            else:
                self._later(seconds, self.tell, each)

    def tell(self, notification: Body) -> None:
        """Number a notification, keep it for a recovery, and send it if there is a connection."""
        if self._ended:
            return
        self._sequence += 1
        meta: Body = {"type": "ServerNotification", "messageId": self._feed.new_id()}
        meta["timestamp"] = notification["timestamp"]
        if self._plan.wsc_everywhere:
            meta["wsc"] = self._wsc(self._sequence)
        frame = write("notification", meta, notification)
        self._kept.append((self._sequence, frame))
        if self.outlet is not None:
            self.outlet(frame)

    def _meta(self, kind: str, message_id: str | None = None, *, status: int) -> Body:
        return {
            "type": kind,
            "messageId": message_id or self._feed.new_id(),
            "status": status,
            "headers": {"RCRequestId": self._feed.new_id()},
        }

    def _wsc(self, sequence: int) -> Body:
        return {"token": f"{self.token}.{sequence}", "sequence": sequence}

    def _details(self, state: str | None) -> Body:
        plan = self._plan
        told: Body = {
            "creationTime": self._creation_time,
            "maxConnectionsPerSession": plan.max_connections,
            "recoveryBufferSize": plan.recovery_buffer_size,
            "recoveryTimeout": _whole(plan.recovery_timeout),
            "idleTimeout": _whole(plan.idle_timeout),
            "absoluteTimeout": _whole(plan.absolute_timeout),
            "maxActiveRequests": plan.max_active_requests,
        }
        return told | ({"recoveryState": state} if state else {})


def _whole(seconds: float) -> float:
    """Write whole seconds as RingCentral does; a test may have shorter ones."""
    return int(seconds) if seconds == int(seconds) else seconds


def _read(text: str | bytes) -> tuple[dict[str, Any], object] | None:
    """Read a frame of a kind that a client may send; None for anything else."""
    try:
        frame = parse_json(text) if isinstance(text, str) else None
    except ValueError:
        frame = None
    if not isinstance(frame, list) or not frame or not isinstance(frame[0], dict):
        return None
    meta, body = frame[0], frame[1] if len(frame) > 1 else None
    known = meta.get("type") in ("Heartbeat", "ClientRequest")
    return (meta, body) if known and isinstance(meta.get("messageId"), str) else None


def _wanted(body: object) -> list[object]:
    mode = body.get("deliveryMode") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(mode, dict):
        raise bad("deliveryMode")
    if mode.get("transportType") != "WebSocket":
        raise bad("deliveryMode.transportType")
    filters = body.get("eventFilters")
    if not isinstance(filters, list):
        raise bad("eventFilters")
    return filters
