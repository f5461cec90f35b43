"""Whatever happens to its requests, the limiter never exceeds a limit, and always goes on.

In full, with RingCentral's sliding window as the model:

- Nothing is sent during a penalty that is known.
- If nobody else uses the quota, no request is rejected, however long responses take and whichever
  of them are lost.
- The response to an earlier request never raises what may be sent.
- Once the server answers, requests are accepted again, and every slot is free a window later.
"""

from collections import defaultdict, deque
from math import ceil, inf
from typing import Any

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from aiopresence.protocol.rate_limit_groups import RateLimits
from aiopresence.protocol.rate_limits import MIN_PENALTY, GroupLimits, GroupWindow, Slot
from tests.support.private_loop import stories

CALLS = {"read": "Light", "write": "Medium"}
NAMES = ("Light", "Medium", "Presence")


@attrs.define
class Window:
    """A group as RingCentral counts it."""

    limit: int
    window: float
    arrivals: deque[float] = attrs.field(factory=deque)
    penalty_ends: float = -inf

    def is_refused(self, now: float) -> bool:
        """Count an arrival, and return whether it gets a 429."""
        while self.arrivals and self.arrivals[0] <= now - self.window:
            self.arrivals.popleft()
        if now < self.penalty_ends or len(self.arrivals) >= self.limit:
            self.penalty_ends = now + self.window
            return True
        self.arrivals.append(now)
        return False


@attrs.define(eq=False)
class Sent:
    """A request of ours, and what the server decided when it arrived."""

    call: str
    group: GroupWindow
    slot: Slot
    stated: str | None = None
    is_refused: bool = False
    headers: dict[str, str] = attrs.field(factory=dict)


class Slots(RuleBasedStateMachine):
    """Requests, their arrivals and their ends, in any order."""

    @initialize(
        limit=st.sampled_from([1, 2, 5, 40]),
        is_alone=st.booleans(),
        is_stated=st.booleans(),
        late=st.sampled_from([0.0, 1e6]),
    )
    def begin(self, limit: int, is_alone: bool, is_stated: bool, late: float) -> None:
        self.now = late
        self.is_alone, self.is_stated = is_alone, is_stated
        self.server = {name: Window(limit, 60.0) for name in NAMES}
        self.groups = dict(CALLS)
        self.limits = RateLimits()
        self.limits.add_presets({name: GroupLimits(limit) for name in NAMES})
        self.sent: list[Sent] = []
        self.blocked: defaultdict[str | None, float] = defaultdict(lambda: -inf)
        self.last_answered: defaultdict[int, int] = defaultdict(int)

    @rule(call=st.sampled_from([*CALLS]), times=st.integers(1, 10))
    def send(self, call: str, times: int) -> None:
        for _ in range(times):
            group = self.limits.group(call, CALLS[call])
            if self.limits.delay(group, self.now) > 0:
                return
            self.send_one(call, group)

    def send_one(self, call: str, group: GroupWindow) -> Sent:
        assert self.now >= self.blocked[group.name], "sent during a penalty"
        sent = Sent(call, group, group.take(self.now))
        self.sent.append(sent)
        return sent

    @precondition(lambda self: self.sent)
    @rule(number=st.integers(0, 20))
    def arrive(self, number: int) -> None:
        self.arrive_at_server(self.sent[number % len(self.sent)])

    def arrive_at_server(self, sent: Sent) -> None:
        if sent.stated is not None:
            return
        sent.stated = name = self.groups[sent.call]
        window = self.server[name]
        sent.is_refused = window.is_refused(self.now)
        if self.is_alone:
            assert not sent.is_refused, "rejected, though nobody else has sent anything"
        left = 0 if sent.is_refused else window.limit - len(window.arrivals)
        sent.headers = {
            "x-rate-limit-group": name.lower(),
            "x-rate-limit-limit": str(window.limit),
            "x-rate-limit-window": f"{window.window:g}",
            "x-rate-limit-remaining": str(left),
        }

    @precondition(lambda self: self.sent)
    @rule(number=st.integers(0, 20), retry_after=st.sampled_from(["right", "short", None]))
    def respond(self, number: int, retry_after: str | None) -> None:
        self.respond_to(self.sent[number % len(self.sent)], retry_after)

    @precondition(lambda self: not self.is_alone)
    @rule(call=st.sampled_from([*CALLS]), times=st.sampled_from([1, 2, 5, 40]))
    def overtake(self, call: str, times: int) -> None:
        """The response to a request comes after that to a later one."""
        before = len(self.sent)
        self.send(call, 2)
        ours = self.sent[before:]
        for sent in ours:
            self.arrive_at_server(sent)
            self.others_send(self.groups[call], times)
        for sent, retry_after in zip(reversed(ours), ("right", "short"), strict=False):
            self.respond_to(sent, retry_after)

    def respond_to(self, sent: Sent, retry_after: str | None = "right") -> None:
        self.arrive_at_server(sent)
        self.sent.remove(sent)
        headers = sent.headers if self.is_stated else {}
        if sent.is_refused:
            headers |= self.penalty(sent, retry_after)
        group, number = sent.group, sent.slot.number
        before = group.snapshot(self.now)
        self.limits.complete(
            self.now, sent.call, group, sent.slot, headers, refused=sent.is_refused
        )
        if number < self.last_answered[id(group)] and self.is_stated:
            after = group.snapshot(self.now)
            assert after.limit == before.limit
            if sent.stated == group.name:
                assert after.remaining is not None
                assert before.remaining is not None
                assert after.remaining <= before.remaining
        self.last_answered[id(group)] = max(self.last_answered[id(group)], number)

    def penalty(self, sent: Sent, retry_after: str | None) -> dict[str, str]:
        """Return the Retry-After header of a 429, and note what the client knows now."""
        assert sent.stated is not None
        left = self.server[sent.stated].penalty_ends - self.now
        seconds = {"right": max(1, ceil(left)), "short": 1}.get(retry_after or "")
        until = self.now + (MIN_PENALTY if seconds is None else seconds)
        for name in [sent.stated] if self.is_stated else NAMES:
            self.blocked[name] = max(self.blocked[name], until)
        return {} if seconds is None else {"retry-after": str(seconds)}

    @precondition(lambda self: self.sent)
    @rule(number=st.integers(0, 20))
    def lose(self, number: int) -> None:
        """The answer is lost, or the call cancelled; the request may have arrived."""
        sent = self.sent.pop(number % len(self.sent))
        sent.group.abandon(self.now, sent.slot)

    @precondition(lambda self: any(sent.stated is None for sent in self.sent))
    @rule()
    def release(self) -> None:
        """A request was not sent after all."""
        sent = next(sent for sent in self.sent if sent.stated is None)
        self.sent.remove(sent)
        sent.group.release(sent.slot)

    @rule(
        seconds=st.sampled_from([0.001, 0.015, 1.0, 7.5, 29.99, 59.985, 60.0, 60.015, 61.5, 400.0])
    )
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: not self.is_alone)
    @rule(name=st.sampled_from(NAMES), times=st.integers(1, 12))
    def others_send(self, name: str, times: int) -> None:
        for _ in range(times):
            self.server[name].is_refused(self.now)

    @precondition(lambda self: not self.is_alone)
    @rule(name=st.sampled_from(NAMES), limit=st.sampled_from([1, 3, 20]))
    def change_limit(self, name: str, limit: int) -> None:
        self.server[name].limit = limit

    @precondition(lambda self: not self.is_alone)
    @rule(name=st.sampled_from(NAMES), window=st.sampled_from([10.0, 60.0, 300.0]))
    def change_window(self, name: str, window: float) -> None:
        self.server[name].window = window

    @precondition(lambda self: not self.is_alone)
    @rule(call=st.sampled_from([*CALLS]), name=st.sampled_from(NAMES))
    def rename(self, call: str, name: str) -> None:
        self.groups[call] = name

    @rule(call=st.sampled_from([*CALLS]))
    def go_on(self, call: str) -> None:
        """The server answers everything: the next request is accepted in the end."""
        while self.sent:
            self.respond_to(self.sent[0])
        for _ in range(30):
            group = self.limits.group(call, CALLS[call])
            delay = self.limits.delay(group, self.now)
            assert delay < inf, "waits for a response, but none is outstanding"
            self.now += delay
            sent = self.send_one(call, group)
            self.respond_to(sent)
            if not sent.is_refused:
                return
        raise AssertionError("no request is accepted any more")

    @invariant()
    def only_responses_are_waited_for(self) -> None:
        for call, expected in getattr(self, "groups", {}) and CALLS.items():
            group = self.limits.group(call, expected)
            if not any(sent.group is group for sent in self.sent):
                assert self.limits.delay(group, self.now) < inf

    def teardown(self) -> None:
        if not hasattr(self, "limits"):
            return
        for call in CALLS:
            self.go_on(call)
        self.now += 2 * 86_400.0
        for name, state in self.limits.snapshot(self.now).items():
            assert (state.remaining, state.blocked_for) == (state.limit, 0.0), name


TestSlots: Any = Slots.TestCase
TestSlots.settings = stories(share=0.6, steps=40)
