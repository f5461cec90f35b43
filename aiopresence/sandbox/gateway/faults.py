"""What is to go wrong on the gateway, and the ledger of its frames."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal

import attrs

from .. import argument_checks
from ..responses import Body, RefusedError
from .session import Frame, FrameKind

_LEDGER = 10_000  # frames kept, so that a sandbox that runs for days does not fill the memory

# What is to be sent in place of a frame, each with the seconds to wait first, or None; and what is
# to be told in place of a notification.
Sendings = Iterable[tuple[Frame, float | None]]
Told = list[tuple[Body, float | None]]


@attrs.frozen
class GatewayFrame:
    """A frame in the ledger.

    Attributes:
        direction: "in" for one from a client, "out" for one to a client.
        text: what it says; bytes if it was a binary frame.
        connection: on which connection, counted from 1.
    """

    direction: Literal["in", "out"]
    text: str | bytes = attrs.field(repr=False)
    connection: int


@attrs.define(eq=False)
class GatewayRule:
    """Something that is to go wrong.

    Attributes:
        times: how often it may happen; None for ever.
        skip: how many occasions are let pass first.
        fired: how often it has happened.
    """

    times: int | None = 1
    skip: int = 0
    fired: int = 0

    def __attrs_post_init__(self) -> None:
        argument_checks.whole("times", self.times, none=True)
        argument_checks.whole("skip", self.skip)

    def take(self) -> bool:
        """Decide on one occasion, and count it."""
        if self.times is not None and self.fired >= self.times:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.fired += 1
        return True


@attrs.define(eq=False)
class FrameRule(GatewayRule):
    """Something that is to happen to frames to clients."""

    kinds: frozenset[FrameKind] = frozenset()
    change: Callable[[Frame], Sendings] = attrs.field(kw_only=True, repr=False)

    def apply(self, frame: Frame) -> Sendings:
        """Tell what is sent in place of a frame."""
        if (self.kinds and frame.kind not in self.kinds) or not self.take():
            return [(frame, None)]
        return self.change(frame)


@attrs.define(eq=False)
class LateRule(GatewayRule):
    """Notifications are told later than they should be; only then do they get their place.

    So a client that was told of a later one and then recovers still gets them.

    Attributes:
        seconds: how late; None for after the next one of the same session.
    """

    seconds: float | None = attrs.field(kw_only=True)
    held: dict[str, Body] = attrs.field(factory=dict, init=False, repr=False)

    def apply(self, session: str, notification: Body) -> Told:
        """Tell what is told in place of a notification, and when."""
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
    """Connections are reset, each time after some more frames."""

    after: int = 0
    left: int = 0

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        argument_checks.whole("after", self.after)

    def due(self, *, before: bool) -> bool:
        """Count a frame, and tell whether it was the last one.

        Args:
            before: it has not gone out yet; with `after` 0 it is not to.
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
    """Subscriptions are refused."""

    status: int = attrs.field(kw_only=True)
    code: str = attrs.field(kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        argument_checks.whole("status", self.status, 100, 999)
        argument_checks.text("code", self.code)


@attrs.define(eq=False)
class DetailsRule(GatewayRule):
    """ConnectionDetails comes late, or with None never."""

    seconds: float | None = attrs.field(kw_only=True)


class Switchboard:
    """The rules and the ledger; see `GatewayControl`, which is the handle for both.

    Attributes:
        rules: what is to go wrong, in the order in which it was added.
        ledger: the latest frames of all connections.
        violations: frames that clients sent before they had ConnectionDetails.
        pings: ping frames that arrived.
    """

    def __init__(self) -> None:
        self.rules: list[GatewayRule] = []
        self.fail_recovery: list[GatewayRule] = []
        self.ledger: deque[GatewayFrame] = deque(maxlen=_LEDGER)
        self.violations = 0
        self.pings = 0

    def note(self, direction: Literal["in", "out"], text: str | bytes, connection: int) -> None:
        """Enter a frame into the ledger."""
        self.ledger.append(GatewayFrame(direction, text, connection))

    def pass_on(self, frame: Frame) -> list[tuple[Frame, float | None]]:
        """Tell what is sent in place of a frame. Every rule works on what the ones before left."""
        sendings: list[tuple[Frame, float | None]] = [(frame, None)]
        for rule in self.rules:
            if isinstance(rule, FrameRule):
                sendings = [
                    (new, delay if later is None else later)
                    for each, delay in sendings
                    for new, later in rule.apply(each)
                ]
        return sendings

    def arrange(self, session: str, notification: Body) -> Told:
        """Tell what is told in place of a notification, each with the seconds to wait first."""
        told: Told = [(notification, None)]
        for rule in self.rules:
            if isinstance(rule, LateRule):
                told = [
                    (new, delay if later is None else later)
                    for each, delay in told
                    for new, later in rule.apply(session, each)
                ]
        return told

    def clear(self) -> list[tuple[str, Body]]:
        """Forget all rules; give what they hold back, by session."""
        late = [rule for rule in self.rules if isinstance(rule, LateRule)]
        self.rules.clear()
        self.fail_recovery.clear()
        return [held for rule in late for held in rule.held.items()]

    def cuts(self, *, before: bool) -> bool:
        """Count a frame to a client, and tell whether its connection is to be reset now."""
        rules = [rule for rule in self.rules if isinstance(rule, CutRule)]
        return True in [rule.due(before=before) for rule in rules]  # every rule counts

    def refusal(self) -> RefusedError | None:
        """Tell why the subscription at hand is refused, or None."""
        for rule in self.rules:
            if isinstance(rule, RefuseRule) and rule.take():
                return RefusedError(rule.status, rule.code, "Refused by the sandbox")
        return None

    def details_delay(self) -> float | None:
        """Tell how long the ConnectionDetails at hand takes; None means for ever."""
        for rule in self.rules:
            if isinstance(rule, DetailsRule) and rule.take():
                return rule.seconds
        return 0.0

    def loses(self) -> bool:
        """Tell whether the recovery at hand is to fail."""
        return any(rule.take() for rule in self.fail_recovery)
