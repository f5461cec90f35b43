"""`Sandbox.gateway`: how tests inspect and disturb the WebSocket gateway."""

from collections.abc import Callable

from ...errors import UsageError
from .. import argument_checks
from .faults import (
    CutRule,
    DetailsRule,
    FrameRule,
    Frames,
    GatewayFrame,
    GatewayRule,
    LateRule,
    RefuseRule,
)
from .server import GatewayServer
from .session import Frame, FrameKind


class GatewayControl:
    """`Sandbox.gateway`: connections, frames, subscriptions and faults of the gateway.

    Every method that adds a fault returns its rule, whose `fired` is the number of times that it
    has happened. If several rules match a frame, each applies to the result of the one before.
    Faults of the handshake are HTTP faults: `sandbox.faults.add(Answer(503), path="/ws")`.
    Arguments of the wrong type or out of range raise UsageError.

    Args:
        gateway: the gateway.
    """

    def __init__(self, gateway: GatewayServer) -> None:
        self._gateway = gateway
        self._faults = gateway.faults

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._gateway.connections)

    @property
    def frames(self) -> tuple[GatewayFrame, ...]:
        """The latest frames in both directions, in order, at most 10,000."""
        return tuple(self._faults.frames)

    @property
    def violations(self) -> int:
        """The number of frames that clients sent before they had ConnectionDetails."""
        return self._faults.violations

    @property
    def pings(self) -> int:
        """The number of ping frames that have arrived."""
        return self._faults.pings

    @property
    def subscriptions(self) -> list[tuple[str, ...]]:
        """The event filters of each session that has subscribed, as the client wrote them.

        Sessions without a connection count while they can be recovered.
        """
        sessions = self._gateway.sessions
        return [tuple(each.text for each in one.subscribed) for one in sessions if one.subscribed]

    def clear(self) -> None:
        """Remove all faults, and send the notifications that they hold back.

        The numbers and logs of what has happened stay.
        """
        self._gateway.clear()

    def cut(self, after: int = 0, times: int | None = 1) -> GatewayRule:
        """Reset TCP connections, without a close frame.

        Args:
            after: how many more frames reach clients before each reset. With 0 all open
                connections are reset now; if there are none, the next one is reset before its
                first frame.
            times: how many resets; None for no limit.
        """
        rule = CutRule(times, after=after, left=after)
        if after == 0 and self._gateway.connections:
            rule.take()
            for connection in self._gateway.connections:
                connection.cut()
        self._faults.rules.append(rule)
        return rule

    def close(self, code: int = 1001) -> GatewayRule:
        """Close all open connections now, with a close frame.

        Args:
            code: the close code, 1000 to 4999.
        """
        argument_checks.whole("code", code, 1000, 4999)
        rule = GatewayRule(None)
        for connection in self._gateway.connections:
            connection.close(code)
            rule.take()
        return rule

    def silence(self) -> GatewayRule:
        """Send nothing more on the open connections, neither pongs nor close frames."""
        rule = GatewayRule(None)
        for connection in self._gateway.connections:
            connection.silent = rule.take()
        return rule

    def drop(self, times: int | None = 1, skip: int = 0) -> GatewayRule:
        """Lose notifications; a recovery sends them.

        Args:
            times: how many notifications; None for all.
            skip: how many notifications pass first.
        """
        return self._add(lambda frame: [], times, skip, "notification")

    def duplicate(self, times: int | None = 1, skip: int = 0) -> GatewayRule:
        """Send notifications twice; for the arguments see `drop`."""
        return self._add(lambda frame: [(frame, None)] * 2, times, skip, "notification")

    def delay(self, times: int | None, seconds: float, skip: int = 0) -> GatewayRule:
        """Delay notifications; others may overtake them.

        Args:
            times: how many notifications; None for all.
            seconds: for how long, 0 or more.
            skip: how many notifications pass first.
        """
        argument_checks.seconds("seconds", seconds, zero=True)
        rule = LateRule(times, skip, seconds=seconds)
        self._faults.rules.append(rule)
        return rule

    def reorder(self, times: int | None = 1, skip: int = 0) -> GatewayRule:
        """Swap a notification with the next one of the same session.

        Args:
            times: how many pairs; None for all.
            skip: how many notifications pass first.
        """
        rule = LateRule(times, skip, seconds=None)
        self._faults.rules.append(rule)
        return rule

    def fail_recovery(self, times: int | None = 1) -> GatewayRule:
        """Lose the session that a client wants to recover: recoveryState is Failed.

        Args:
            times: how many recoveries; None for all.
        """
        rule = GatewayRule(times)
        self._faults.lost_sessions.append(rule)
        return rule

    def refuse_subscription(self, status: int, code: str, times: int | None = 1) -> GatewayRule:
        """Refuse subscriptions.

        Args:
            status: the status of the response, such as 403.
            code: its errorCode, such as "SUB-505".
            times: how many subscriptions; None for all.
        """
        rule = RefuseRule(times, status=status, code=code)
        self._faults.rules.append(rule)
        return rule

    def late_answer(self, seconds: float, times: int | None = 1) -> GatewayRule:
        """Delay responses to requests, which take effect at once: notifications may come first.

        Args:
            seconds: for how long, 0 or more.
            times: how many responses; None for all.
        """
        argument_checks.seconds("seconds", seconds, zero=True)
        return self._add(lambda frame: [(frame, seconds)], times, 0, "response")

    def no_answer(self, times: int | None = 1) -> GatewayRule:
        """Lose responses to requests, which still take effect.

        Args:
            times: how many responses; None for all.
        """
        return self._add(lambda frame: [], times, 0, "response")

    def late_details(self, seconds: float, times: int | None = 1) -> GatewayRule:
        """Delay ConnectionDetails, and all frames after it.

        Args:
            seconds: for how long, 0 or more.
            times: how many connections; None for all.
        """
        argument_checks.seconds("seconds", seconds, zero=True)
        rule = DetailsRule(times, seconds=seconds)
        self._faults.rules.append(rule)
        return rule

    def without_details(self, times: int | None = 1) -> GatewayRule:
        """Accept connections, but send nothing on them.

        Args:
            times: how many connections; None for all.
        """
        rule = DetailsRule(times, seconds=None)
        self._faults.rules.append(rule)
        return rule

    def replace(
        self, function: Callable[[str], str | bytes], times: int | None = 1, skip: int = 0
    ) -> GatewayRule:
        """Change frames to clients, of any kind, ConnectionDetails included.

        Args:
            function: returns the new payload for the old one; bytes make a binary frame.
            times: how many frames; None for all.
            skip: how many frames pass unchanged first.
        """
        argument_checks.function("function", function)

        def change(frame: Frame) -> Frames:
            text = frame.text if isinstance(frame.text, str) else frame.text.decode()
            return [(Frame(frame.kind, function(text)), None)]

        return self._add(change, times, skip)

    def inject(self, text: str | bytes) -> GatewayRule:
        """Send a frame on all open connections now; faults do not apply to it.

        Args:
            text: the payload; bytes make a binary frame.
        """
        if not isinstance(text, str | bytes):
            raise UsageError(f"text must be a str or bytes, not {argument_checks.shown(text)}")
        rule = GatewayRule(None)
        for connection in self._gateway.connections:
            connection.put(text)
            rule.take()
        return rule

    def error(self, code: str, message: str, status: int = 500) -> GatewayRule:
        """Send an Error frame on all connections that have had their ConnectionDetails.

        Args:
            code: its errorCode, such as "WSG-902".
            message: its message.
            status: its status, 100 to 999.
        """
        argument_checks.text("code", code)
        argument_checks.text("message", message)
        argument_checks.whole("status", status, 100, 999)
        rule = GatewayRule(None)
        for connection in self._gateway.connections:
            if connection.session is not None:
                connection.send(connection.session.error(code, message, status))
                rule.take()
        return rule

    def restart_sequences(self, to: int = 0) -> None:
        """Restart the `sequence` of all extensions' events, as a new server does.

        Args:
            to: the number before the first, 0 or more.
        """
        argument_checks.whole("to", to)
        self._gateway.feed.restart_sequences(to)

    def _add(
        self,
        change: Callable[[Frame], Frames],
        times: int | None,
        skip: int,
        *kinds: FrameKind,
    ) -> GatewayRule:
        rule = FrameRule(times, skip, kinds=frozenset(kinds), change=change)
        self._faults.rules.append(rule)
        return rule
