"""Faults to order: for which requests, how often, and whether they happened."""

from collections.abc import Callable
from typing import Protocol

import attrs

from ..errors import UsageError
from . import argument_checks
from .exchange import Exchange, Received
from .responses import Reply


class Fault(Protocol):
    """A kind of fault. Yours works too, if it has this one method."""

    async def apply(self, exchange: Exchange) -> Reply | None:
        """Deal with a request.

        Args:
            exchange: the request and its connection.

        Returns:
            The answer to send, or None to send nothing more and end the connection.
        """


@attrs.define(eq=False)
class FaultRule:
    """A fault, the requests it is for, and how often it has fired.

    Attributes:
        fault: what goes wrong.
        path: a part of the path and query, as on the wire; "" for any.
        method: the HTTP method; None for any.
        times: how often it may fire; None for ever.
        skip: how many requests that match are let through before it fires.
        when: one more condition, or None.
        fired: how often it has fired.
    """

    fault: Fault
    path: str
    method: str | None
    times: int | None
    skip: int
    when: Callable[[Received], bool] | None
    fired: int = 0

    def __attrs_post_init__(self) -> None:
        if not callable(getattr(self.fault, "apply", None)) or isinstance(self.fault, type):
            found = argument_checks.shown(self.fault)
            raise UsageError(f"fault must be a fault, such as Answer(503), not {found}")
        argument_checks.text("path", self.path)
        argument_checks.text("method", self.method, none=True)
        argument_checks.whole("times", self.times, none=True)
        argument_checks.whole("skip", self.skip)
        argument_checks.function("when", self.when, none=True)

    def takes(self, received: Received) -> bool:
        """Decide on one request, and count it."""
        if (self.times is not None and self.fired >= self.times) or not self._matches(received):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.fired += 1
        return True

    def _matches(self, received: Received) -> bool:
        target = f"{received.path}?{received.query}" if received.query else received.path
        return (
            self.path in target
            and self.method in (None, received.method)
            and (self.when is None or self.when(received))
        )


class Faults:
    """The faults that a sandbox has been told to make.

    A request that has a fault counts against the quota like any other, and may start a penalty.
    Where a fault works on the real answer, that is a 429 when the quota is used up.
    """

    def __init__(self) -> None:
        self._rules: list[FaultRule] = []

    def add(
        self,
        fault: Fault,
        *,
        path: str = "",
        method: str | None = None,
        times: int | None = 1,
        skip: int = 0,
        when: Callable[[Received], bool] | None = None,
    ) -> FaultRule:
        """Order a fault. Of several rules for one request the one added first has it.

        Args:
            fault: what goes wrong, such as `Answer(503)`.
            path: a part of the path and query, as on the wire; "" for any.
            method: the HTTP method; None for any.
            times: how often it fires; None for ever.
            skip: how many requests that match are let through first.
            when: one more condition on the request; it sees the body too.

        Returns:
            The rule, whose `fired` tells how often the fault has happened.

        Raises:
            UsageError: an argument has the wrong type, or a number is below 0.
        """
        rule = FaultRule(fault, path, method, times, skip, when)
        self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Forget all rules."""
        self._rules.clear()

    def find(self, received: Received) -> Fault | None:
        """Find the fault for a request, and count it as fired."""
        return next((rule.fault for rule in self._rules if rule.takes(received)), None)
