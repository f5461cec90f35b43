"""Rate limits: a sliding window per usage-plan group, counted when a request arrives.

A request over the limit is refused and starts a penalty. While it lasts every request of the
group is refused and starts it anew. Retry-After is cut to whole seconds, so that a client which
waits exactly so long comes too early.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

DEFAULT_LIMITS = {"Light": 50, "Medium": 40, "Heavy": 10, "Auth": 5}
Headers = list[tuple[str, str]]


@dataclass
class Group:
    """What is counted for one user, app and group."""

    limit: int
    arrivals: deque[float] = field(default_factory=deque)
    penalty_until: float = 0.0

    def take(self, now: float, window: float, penalty: float) -> bool:
        """Count a request that arrives now. False means that it is over the limit."""
        while self.arrivals and self.arrivals[0] <= now - window:
            self.arrivals.popleft()
        if now < self.penalty_until or len(self.arrivals) >= self.limit:
            self.penalty_until = now + penalty
            return False
        self.arrivals.append(now)
        return True


@dataclass
class Quotas:
    """The groups of all users and apps. `over` counts refused requests by group."""

    clock: Callable[[], float]
    chance: random.Random
    limits: dict[str, int] = field(default_factory=lambda: dict(DEFAULT_LIMITS))
    window: float = 60.0
    penalty: float = 60.9
    headers: bool = True
    over: dict[str, int] = field(default_factory=dict)
    _groups: dict[tuple[str, str], Group] = field(default_factory=dict)

    def take(self, owner: str, name: str) -> bool:
        """Count a request of an owner, which is a user and an app."""
        group = self._group(owner, name)
        allowed = group.take(self.clock(), self.window, self.penalty)
        if not allowed:
            self.over[name] = self.over.get(name, 0) + 1
        return allowed

    def headers_of(self, owner: str, name: str) -> Headers:
        """Return the headers of a response, in either of the documented spellings."""
        if not self.headers:
            return []
        group = self._group(owner, name)
        prefix = self.chance.choice(("X-Rate-Limit-", "X-RateLimit-"))
        values = {
            "Group": name.lower() if self.chance.random() < 0.3 else name,
            "Limit": group.limit,
            "Remaining": max(0, group.limit - len(group.arrivals)),
            "Window": int(self.window) if self.window >= 1 else self.window,
        }
        return [(prefix + key, str(value)) for key, value in values.items()]

    @property
    def retry_after(self) -> str:
        """Retry-After for a request that has just been refused: the penalty, cut down."""
        return str(int(self.penalty))

    def _group(self, owner: str, name: str) -> Group:
        if (owner, name) not in self._groups:
            self._groups[owner, name] = Group(self.limits[name])
        return self._groups[owner, name]
