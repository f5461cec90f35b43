"""Rules that apply a fault to some requests."""

from collections.abc import Callable
from typing import Protocol

import attrs

from ..errors import UsageError
from . import argument_checks
from .exchange import Exchange, Received
from .responses import Response
from .rules import Rule


class Fault(Protocol):
    """What every kind of fault has: one method. Add kinds of your own by writing it."""

    async def apply(self, exchange: Exchange) -> Response | None:
        """Respond to a request.

        Args:
            exchange: the request, its real response and its connection.

        Returns:
            The response to send, or None to send nothing more and close the connection.
        """


@attrs.define(eq=False)
class FaultRule(Rule):
    """A fault, the requests it applies to, and how many times it has.

    Attributes:
        fault: the fault.
        path: a part of the path and query, as on the wire; "" for any.
        method: the HTTP method; None for any.
        when: a condition on the request; None for none.
        times: how many requests it applies to; None for all.
        skip: how many more matching requests pass without it first.
        fired: how many requests it has applied to.

    Raises:
        UsageError: an argument has the wrong type, or a number is below 0.
    """

    fault: Fault = attrs.field(kw_only=True)
    path: str = attrs.field(default="", kw_only=True)
    method: str | None = attrs.field(default=None, kw_only=True)
    when: Callable[[Received], bool] | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not callable(getattr(self.fault, "apply", None)) or isinstance(self.fault, type):
            found = argument_checks.shown(self.fault)
            raise UsageError(f"fault must be a kind of fault, such as Answer(503), not {found}")
        argument_checks.text("path", self.path)
        argument_checks.text("method", self.method, none=True)
        argument_checks.function("when", self.when, none=True)

    def takes(self, received: Received) -> bool:
        """Return whether the fault applies to a request, and count it."""
        return not self.exhausted and self._matches(received) and self.take()

    def _matches(self, received: Received) -> bool:
        target = f"{received.path}?{received.query}" if received.query else received.path
        return (
            self.path in target
            and self.method in (None, received.method)
            and (self.when is None or self.when(received))
        )


class Faults:
    """`Sandbox.faults`: the faults that requests meet.

    A request that meets a fault counts in the usage plan like any other, and may start a
    penalty. Faults that use the real response use a 429 if the quota is used up.
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
        """Apply a fault to some requests. If several rules match, the first one added applies.

        Args:
            fault: the fault, such as `Answer(503)`.
            path: a part of the path and query, as on the wire; "" for any.
            method: the HTTP method; None for any.
            times: how many requests it applies to; None for all.
            skip: how many matching requests pass without it first.
            when: another condition on the request, which has its body, too; None for none.

        Returns:
            The rule, whose `fired` is the number of requests that met the fault.

        Raises:
            UsageError: an argument has the wrong type, or a number is below 0.
        """
        rule = FaultRule(times, skip, fault=fault, path=path, method=method, when=when)
        self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Remove all rules."""
        self._rules.clear()

    def find(self, received: Received) -> Fault | None:
        """Return the fault for a request, and count it; None for none."""
        return next((rule.fault for rule in self._rules if rule.takes(received)), None)
