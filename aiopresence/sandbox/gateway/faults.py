"""The faults of the WebSocket gateway, and its log of frames."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal

import attrs

from .. import argument_checks
from ..responses import Body, RefusedError
from ..rules import Rule
from .session import Frame, FrameKind

MOST_FRAMES = 10_000  # kept in the log; bounds the memory of a sandbox that runs for days

# What replaces a frame or a notification: several, each after some seconds, or None for at once.
Frames = Iterable[tuple[Frame, float | None]]
Notifications = list[tuple[Body, float | None]]


@attrs.frozen
class GatewayFrame:
    """A frame in the log.

    Attributes:
        direction: "in" for a frame from a client, "out" for one to a client.
        text: the payload; bytes for a binary frame.
        connection: the number of the connection, from 1.
    """

    direction: Literal["in", "out"]
    text: str | bytes = attrs.field(repr=False)
    connection: int


@attrs.define(eq=False)
class GatewayRule(Rule):
    """A fault of the gateway, and how many times it has happened; see `Rule`."""


@attrs.define(eq=False)
class FrameRule(GatewayRule):
    """Replaces frames to clients.

    Attributes:
        kinds: the kinds of frames that it applies to; empty for all.
        change: returns what replaces a frame.
    """

    kinds: frozenset[FrameKind] = frozenset()
    change: Callable[[Frame], Frames] = attrs.field(kw_only=True, repr=False)

    def apply(self, frame: Frame) -> Frames:
        """Return what is sent in place of a frame."""
        if (self.kinds and frame.kind not in self.kinds) or not self.take():
            return [(frame, None)]
        return self.change(frame)


@attrs.define(eq=False)
class LateRule(GatewayRule):
    """Delays notifications, before the session numbers and keeps them for a recovery.

    So a client that received a later one, and recovers then, still receives them.

    Attributes:
        seconds: for how long; None for until after the next one of the same session.
    """

    seconds: float | None = attrs.field(kw_only=True)
    held: dict[str, Body] = attrs.field(factory=dict, init=False, repr=False)

    def apply(self, session: str, notification: Body) -> Notifications:
        """Return what is sent in place of a notification."""
        if earlier := self.held.pop(session, None):
            return [(notification, None), (earlier, None)]
        if not self.take():
            return [(notification, None)]
        if self.seconds is not None:
            return [(notification, self.seconds)]
        self.held[session] = notification
        return []


@attrs.define(eq=False)
class CutRule(GatewayRule):
    """Resets connections.

    Attributes:
        after: frames to clients before each reset.
        left: frames before the next one.
    """

    after: int = 0
    left: int = 0

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        argument_checks.whole("after", self.after)

    def due(self, *, before: bool) -> bool:
        """Count a frame; return whether its connection is reset now.

        Args:
            before: whether the frame is still to be sent; with `after` 0 it is not sent.
        """
        if before != (self.after == 0):
            return False
        self.left -= 1
        if self.left > 0 or not self.take():
            return False
        self.left = self.after
        return True


@attrs.define(eq=False)
class RefuseRule(GatewayRule):
    """Refuses subscriptions.

    Attributes:
        status: the status of the response.
        code: its errorCode.
    """

    status: int = attrs.field(kw_only=True)
    code: str = attrs.field(kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        argument_checks.whole("status", self.status, 100, 999)
        argument_checks.text("code", self.code)


@attrs.define(eq=False)
class DetailsRule(GatewayRule):
    """Delays ConnectionDetails.

    Attributes:
        seconds: for how long; None forever.
    """

    seconds: float | None = attrs.field(kw_only=True)


class GatewayFaults:
    """The rules and the log of the gateway; `GatewayControl` is the interface for tests.

    Attributes:
        rules: the faults, in the order in which they were added.
        lost_sessions: the rules by which a session cannot be recovered.
        frames: the latest frames of all connections.
        violations: frames that clients sent before they had ConnectionDetails.
        pings: ping frames that arrived.
    """

    def __init__(self) -> None:
        self.rules: list[GatewayRule] = []
        self.lost_sessions: list[GatewayRule] = []
        self.frames: deque[GatewayFrame] = deque(maxlen=MOST_FRAMES)
        self.violations = 0
        self.pings = 0

    def record(self, direction: Literal["in", "out"], text: str | bytes, connection: int) -> None:
        """Add a frame to the log."""
        self.frames.append(GatewayFrame(direction, text, connection))

    def replace_frame(self, frame: Frame) -> list[tuple[Frame, float | None]]:
        """Return what is sent in place of a frame. Each rule applies to the result of the last."""
        frames: list[tuple[Frame, float | None]] = [(frame, None)]
        for rule in self.rules:
            if isinstance(rule, FrameRule):
                frames = [
                    (new, delay if later is None else later)
                    for each, delay in frames
                    for new, later in rule.apply(each)
                ]
        return frames

    def replace_notification(self, session: str, notification: Body) -> Notifications:
        """Return what is sent in place of a notification to a session."""
        notifications: Notifications = [(notification, None)]
        for rule in self.rules:
            if isinstance(rule, LateRule):
                notifications = [
                    (new, delay if later is None else later)
                    for each, delay in notifications
                    for new, later in rule.apply(session, each)
                ]
        return notifications

    def clear(self) -> list[tuple[str, Body]]:
        """Remove all rules; return the notifications that they hold back, with their sessions."""
        late = [rule for rule in self.rules if isinstance(rule, LateRule)]
        self.rules.clear()
        self.lost_sessions.clear()
        return [held for rule in late for held in rule.held.items()]

    def cuts(self, *, before: bool) -> bool:
        """Count a frame to a client; return whether its connection is reset now."""
        rules = [rule for rule in self.rules if isinstance(rule, CutRule)]
        return True in [rule.due(before=before) for rule in rules]  # every rule counts the frame

    def refusal(self) -> RefusedError | None:
        """Return why the subscription at hand is refused; None if it is not."""
        for rule in self.rules:
            if isinstance(rule, RefuseRule) and rule.take():
                return RefusedError(rule.status, rule.code, "Refused by the sandbox")
        return None

    def details_delay(self) -> float | None:
        """Return the seconds before the ConnectionDetails at hand; None forever."""
        for rule in self.rules:
            if isinstance(rule, DetailsRule) and rule.take():
                return rule.seconds
        return 0.0

    def loses_session(self) -> bool:
        """Return whether the session that a client wants to recover is lost."""
        return any(rule.take() for rule in self.lost_sessions)
