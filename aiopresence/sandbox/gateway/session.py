"""One WebSocket session: its subscription, and the notifications it keeps for a recovery.

A session outlives its connection. A client that connects again with a recovery token (`wsc`)
receives the notifications that it missed. This module does no input or output.
"""

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

FrameKind = Literal["details", "response", "error", "heartbeat", "notification"]

WSC = re.compile(r"SandboxWsc-[0-9a-f-]{36}\.[0-9]{1,18}")  # a recovery token

_SUBSCRIPTIONS = ("/restapi/v1.0/subscription", "/restapi/v1.0/subscription/")
_LIFETIME = 604800  # expiresIn of a subscription, in seconds; a guess


@attrs.frozen
class Frame:
    """A frame to the client."""

    kind: FrameKind
    text: str | bytes


def write(kind: FrameKind, meta: Body, *body: object) -> Frame:
    """Return a frame: a JSON array of its metadata and its body."""
    return Frame(kind, json.dumps([meta, *body], ensure_ascii=False, separators=(",", ":")))


class GatewaySession:
    """One session.

    Args:
        plan: how the gateway behaves.
        feed: the source of notifications.
        base: scheme, host and port of the server, for links.
        started_at: when it started, in seconds of the loop's clock.
        refusal: returns why the next subscription is refused, or None.
        replace_notification: returns what is sent in place of a notification.
        later: calls a function after some seconds.

    Attributes:
        token: identifies the session; recovery tokens begin with it.
        send: sends a frame to the client; None without a connection.
        subscribed: the filters of the subscription; empty without one.
    """

    def __init__(
        self,
        plan: GatewayPlan,
        feed: Feed,
        base: str,
        started_at: float,
        refusal: Callable[[], RefusedError | None],
        replace_notification: Callable[[str, Body], list[tuple[Body, float | None]]],
        later: Callable[[float, Callable[[Body], None], Body], object],
    ) -> None:
        self.token = f"SandboxWsc-{feed.new_id()}"
        self.started_at = started_at
        self.send: Callable[[Frame], None] | None = None
        self.subscribed: list[Filter] = []
        self._plan = plan
        self._feed = feed
        self._base = base
        self._refusal = refusal
        self._replace_notification = replace_notification
        self._later = later
        self._ended = False
        self._subscription: Body | None = None
        self._creation_time = timestamp()
        self._sequence = 1
        self._kept: deque[tuple[int, Frame]] = deque(maxlen=plan.recovery_buffer_size)
        self._stop_feed: Callable[[], None] = lambda: None

    def connect(self, since: int | None = None, state: str | None = None) -> list[Frame]:
        """Return ConnectionDetails and, after a recovery, the notifications that were missed.

        Args:
            since: the sequence of the client's recovery token; None without one.
            state: the recoveryState; None for a client that did not ask for a recovery.
        """
        start = self._sequence if since is None else since
        meta = self._meta("ConnectionDetails", status=200)
        meta["wsc"] = self._wsc(start)
        return [
            write("details", meta, self._details(state)),
            *(frame for sequence, frame in self._kept if sequence > start),
        ]

    def has_issued(self, sequence: int) -> bool:
        """Return whether the session has sent a recovery token with a sequence."""
        return 1 <= sequence <= self._sequence

    def end(self) -> None:
        """End the subscription, and ignore notifications that are still to come."""
        self._ended = True
        self._unsubscribe()

    def receive(self, text: str | bytes) -> Frame:
        """Return the response to a frame of the client."""
        message = _parse(text)
        if message is None:
            # Which code RingCentral sends for this is a guess.
            return self.error("WSG-901", "The message was not understood.", 400)
        meta, body = message
        if meta["type"] == "Heartbeat":
            return write("heartbeat", {"type": "Heartbeat", "messageId": meta["messageId"]})
        try:
            status, *content = self._handle(meta, body)
        except RefusedError as error:
            return self._refused(error, meta["messageId"])
        return write(
            "response", self._meta("ClientRequest", meta["messageId"], status=status), *content
        )

    def error(self, code: str, message: str, status: int, message_id: str | None = None) -> Frame:
        """Return an Error frame."""
        meta = self._meta("Error", message_id, status=status)
        return write("error", meta, error_body(code, message))

    def _refused(self, error: RefusedError, message_id: str) -> Frame:
        kind = "ClientRequest" if self._plan.errors_as_answers else "Error"
        return write("response", self._meta(kind, message_id, status=error.status), error.body)

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
        self._stop_feed()
        self._subscription = None
        self.subscribed = []

    def _subscribe(self, subscription_id: str, body: object) -> Body:
        if refusal := self._refusal():
            raise refusal
        checked = self._feed.check_filters(_filters(body))
        self._stop_feed()
        self.subscribed = checked.active
        self._stop_feed = self._feed.subscribe(
            subscription_id, checked.active, self._receive_notification
        )
        disabled = {"disabledFilters": checked.disabled} if checked.disabled else {}
        self._subscription = {
            "uri": f"{self._base}{_SUBSCRIPTIONS[0]}/{subscription_id}",
            "id": subscription_id,
            "creationTime": timestamp(),
            "eventFilters": [self._feed.filter_text(each) for each in checked.active],
            **disabled,
            "expirationTime": timestamp(_LIFETIME),
            "expiresIn": _LIFETIME,
            "status": "Active",
            "deliveryMode": {"transportType": "WebSocket"},
        }
        return self._subscription

    def _receive_notification(self, notification: Body) -> None:
        for each, seconds in self._replace_notification(self.token, notification):
            if seconds is None:
                self.notify(each)
            else:
                self._later(seconds, self.notify, each)

    def notify(self, notification: Body) -> None:
        """Number a notification, keep it for a recovery, and send it on the connection, if any."""
        if self._ended:
            return
        self._sequence += 1
        meta: Body = {"type": "ServerNotification", "messageId": self._feed.new_id()}
        meta["timestamp"] = notification["timestamp"]
        if self._plan.wsc_everywhere:
            meta["wsc"] = self._wsc(self._sequence)
        frame = write("notification", meta, notification)
        self._kept.append((self._sequence, frame))
        if self.send is not None:
            self.send(frame)

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
        body: Body = {
            "creationTime": self._creation_time,
            "maxConnectionsPerSession": plan.max_connections,
            "recoveryBufferSize": plan.recovery_buffer_size,
            "recoveryTimeout": _whole(plan.recovery_timeout),
            "idleTimeout": _whole(plan.idle_timeout),
            "absoluteTimeout": _whole(plan.absolute_timeout),
            "maxActiveRequests": plan.max_active_requests,
        }
        return body | ({"recoveryState": state} if state else {})


def _whole(seconds: float) -> float:
    """Return whole seconds as an int, as RingCentral sends them; tests may have fractions."""
    return int(seconds) if seconds == int(seconds) else seconds


def _parse(text: str | bytes) -> tuple[dict[str, Any], object] | None:
    """Parse a Heartbeat or ClientRequest; None for anything else."""
    try:
        frame = parse_json(text) if isinstance(text, str) else None
    except ValueError:
        frame = None
    if not isinstance(frame, list) or not frame or not isinstance(frame[0], dict):
        return None
    meta, body = frame[0], frame[1] if len(frame) > 1 else None
    known = meta.get("type") in ("Heartbeat", "ClientRequest")
    return (meta, body) if known and isinstance(meta.get("messageId"), str) else None


def _filters(body: object) -> list[object]:
    mode = body.get("deliveryMode") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(mode, dict):
        raise bad("deliveryMode")
    if mode.get("transportType") != "WebSocket":
        raise bad("deliveryMode.transportType")
    filters = body.get("eventFilters")
    if not isinstance(filters, list):
        raise bad("eventFilters")
    return filters
