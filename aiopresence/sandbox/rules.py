"""How often a rule applies: the counting that all rules of the sandbox share."""

import attrs

from . import argument_checks


@attrs.define(eq=False)
class Rule:
    """Something that applies to some occasions: requests, frames, deliveries, connections.

    Attributes:
        times: how many times it applies; None for every time.
        skip: how many more matching occasions pass unchanged first.
        fired: how many times it has applied so far.

    Raises:
        UsageError: times or skip is not a whole number, 0 or more.
    """

    times: int | None = 1
    skip: int = 0
    fired: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        argument_checks.whole("times", self.times, none=True)
        argument_checks.whole("skip", self.skip)

    @property
    def exhausted(self) -> bool:
        """Whether the rule has applied as many times as it may."""
        return self.times is not None and self.fired >= self.times

    def take(self) -> bool:
        """Return whether the rule applies to the occasion at hand, and count it."""
        if self.exhausted:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.fired += 1
        return True
