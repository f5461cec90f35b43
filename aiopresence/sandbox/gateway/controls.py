"""The remote control of the WebSocket gateway."""

from collections.abc import Callable

from ...errors import UsageError
from .. import argument_checks
from .faults import (
    CutRule,
    DetailsRule,
    FrameRule,
    GatewayFrame,
    GatewayRule,
    LateRule,
    RefuseRule,
    Sendings,
)
from .server import Gateway
from .session import Frame, FrameKind


class GatewayControl:
    """`Sandbox.gateway`: what goes on at the WebSocket gateway, and what is to go wrong there.

    Whatever makes a fault returns its rule, whose `fired` tells how often it has happened. Of
    several rules for one frame each works on what the ones before it left. Faults of the
    handshake are made as all faults of HTTP are: `sandbox.faults.add(Answer(503), path="/ws")`.

    Args:
        gateway: what is controlled.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._board = gateway.board

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._gateway.connections)

    @property
    def frames(self) -> tuple[GatewayFrame, ...]:
        """The frames so far in both directions, in order; of very many the latest 10,000."""
        return tuple(self._board.ledger)

    @property
    def violations(self) -> int:
        """How many frames clients have sent before they had ConnectionDetails."""
        return self._board.violations

    @property
    def pings(self) -> int:
        """How many ping frames have arrived."""
        return self._board.pings

    @property
    def subscriptions(self) -> list[tuple[str, ...]]:
        """The filters subscribed now, as they were written, for each session that has some.

        A session that has lost its connection and can still be recovered is among them.
        """
        sessions = self._gateway.conversations
        return [tuple(each.text for each in one.subscribed) for one in sessions if one.subscribed]

    def clear(self) -> None:
        """Forget all rules. What has happened stays; what they hold back is told now."""
        self._gateway.clear()

    def cut(self, after: int = 0, times: int | None = 1) -> GatewayRule:
        """Reset TCP connections, without a close frame.

        Args:
            after: how many more frames get through to clients first, each time. With 0 every
                connection that is open is reset now; without one, the next one is, when it is
                about to get its first frame.
            times: how often; None for ever.
        """
        rule = CutRule(times, after=after, left=after)
        if after == 0 and self._gateway.connections:
            rule.take()
            for connection in self._gateway.connections:
                connection.cut()
        self._board.rules.append(rule)
        return rule

    def close(self, code: int = 1001) -> GatewayRule:
        """Close every connection now, with a close frame.

        Args:
            code: the close code.
        """
        argument_checks.whole("code", code, 1000, 4999)
        rule = GatewayRule(None)
        for connection in self._gateway.connections:
            connection.close(code)
            rule.take()
        return rule

    def silence(self) -> GatewayRule:
        """Send nothing more on the connections that are open now, pongs and closes included."""
        rule = GatewayRule(None)
        for connection in self._gateway.connections:
            connection.silent = rule.take()
        return rule

    def drop(self, times: int | None = 1, skip: int = 0) -> GatewayRule:
        """Lose notifications. A recovery brings them.

        Args:
            times: how many; None for all.
            skip: how many get through first.
        """
        return self._add(lambda frame: [], times, skip, "notification")

    def duplicate(self, times: int | None = 1, skip: int = 0) -> GatewayRule:
        """Send notifications twice; the arguments are those of `drop`."""
        return self._add(lambda frame: [(frame, None)] * 2, times, skip, "notification")

    def delay(self, times: int | None, seconds: float, skip: int = 0) -> GatewayRule:
        """Send notifications late; later ones may overtake them.

        Args:
            times: how many; None for all.
            seconds: how late.
            skip: how many get through first.
        """
        argument_checks.seconds("seconds", seconds, zero=True)
        rule = LateRule(times, skip, seconds=seconds)
        self._board.rules.append(rule)
        return rule

    def reorder(self, times: int | None = 1, skip: int = 0) -> GatewayRule:
        """Swap a notification with the next one of the same connection, whoever that is about.

        Args:
            times: how many pairs; None for all.
            skip: how many notifications get through first.
        """
        rule = LateRule(times, skip, seconds=None)
        self._board.rules.append(rule)
        return rule

    def fail_recovery(self, times: int | None = 1) -> GatewayRule:
        """Know nothing of the session that a client wants to recover; it is lost then.

        Args:
            times: how often; None for ever.
        """
        rule = GatewayRule(times)
        self._board.fail_recovery.append(rule)
        return rule

    def refuse_subscription(self, status: int, code: str, times: int | None = 1) -> GatewayRule:
        """Refuse subscriptions.

        Args:
            status: the status of the answer, such as 403.
            code: the errorCode, such as "SUB-505".
            times: how often; None for ever.
        """
        rule = RefuseRule(times, status=status, code=code)
        self._board.rules.append(rule)
        return rule

    def late_answer(self, seconds: float, times: int | None = 1) -> GatewayRule:
        """Answer requests late; they take effect at once, so notifications may come first.

        Args:
            seconds: how late.
            times: how often; None for ever.
        """
        argument_checks.seconds("seconds", seconds, zero=True)
        return self._add(lambda frame: [(frame, seconds)], times, 0, "answer")

    def no_answer(self, times: int | None = 1) -> GatewayRule:
        """Do not answer requests, which take effect all the same.

        Args:
            times: how often; None for ever.
        """
        return self._add(lambda frame: [], times, 0, "answer")

    def late_details(self, seconds: float, times: int | None = 1) -> GatewayRule:
        """Send ConnectionDetails late, and with it all that comes after it.

        Args:
            seconds: how late.
            times: how often; None for ever.
        """
        argument_checks.seconds("seconds", seconds, zero=True)
        rule = DetailsRule(times, seconds=seconds)
        self._board.rules.append(rule)
        return rule

    def without_details(self, times: int | None = 1) -> GatewayRule:
        """Open connections and say nothing on them.

        Args:
            times: how many connections; None for all.
        """
        rule = DetailsRule(times, seconds=None)
        self._board.rules.append(rule)
        return rule

    def replace(
        self, function: Callable[[str], str | bytes], times: int | None = 1, skip: int = 0
    ) -> GatewayRule:
        """Change frames to clients, of any kind, ConnectionDetails included.

        Args:
            function: makes the new text of the old one; bytes make a binary frame.
            times: how many; None for all.
            skip: how many get through as they are first.
        """
        argument_checks.function("function", function)

        def change(frame: Frame) -> Sendings:
            text = frame.text if isinstance(frame.text, str) else frame.text.decode()
            return [(Frame(frame.kind, function(text)), None)]

        return self._add(change, times, skip)

    def inject(self, text: str | bytes) -> GatewayRule:
        """Send a frame of your own on every open connection, now, whatever rules there are.

        Args:
            text: what it says; bytes make a binary frame.
        """
        if not isinstance(text, str | bytes):
            raise UsageError(f"text must be a str or bytes, not {argument_checks.shown(text)}")
        rule = GatewayRule(None)
        for connection in self._gateway.connections:
            connection.put(text)
            rule.take()
        return rule

    def error(self, code: str, message: str, status: int = 500) -> GatewayRule:
        """Send an Error frame on every connection that has got its ConnectionDetails.

        Args:
            code: the errorCode, such as "WSG-902".
            message: text for people.
            status: the status in the frame's meta.
        """
        argument_checks.text("code", code)
        argument_checks.text("message", message)
        argument_checks.whole("status", status, 100, 999)
        rule = GatewayRule(None)
        for connection in self._gateway.connections:
            if connection.conversation is not None:
                connection.send(connection.conversation.error(code, message, status))
                rule.take()
        return rule

    def restart_sequences(self, to: int = 0) -> None:
        """Let the `sequence` of every extension's events go on from a number.

        Args:
            to: the number; the next event has one more.
        """
        argument_checks.whole("to", to)
        self._gateway.feed.restart_sequences(to)

    def _add(
        self,
        change: Callable[[Frame], Sendings],
        times: int | None,
        skip: int,
        *kinds: FrameKind,
    ) -> GatewayRule:
        rule = FrameRule(times, skip, kinds=frozenset(kinds), change=change)
        self._board.rules.append(rule)
        return rule
