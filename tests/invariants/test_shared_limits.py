"""Over Redis, no window has more requests than the limit, whatever fails.

There is one exception: when Redis has lost everything, or its clock was set ahead, and the first
process that asks it is new and does not know that, its first request is a probe, which may be one
too many; so may be the next one if its answer is lost. The record of one group may be lost without
that.

The machine is RingCentral, which counts what arrives in each window, and processes that share its
limit: the side of each, with the twin of `limits.lua` in place of Redis. Nothing here waits.
"""

import heapq
import itertools
from collections.abc import Callable
from copy import deepcopy
from math import inf
from typing import Any

import attrs
import orjson
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from aiopresence.protocol.rate_limits import GroupLimits
from aiopresence.redis.limit_calls import Reply, read_reply
from aiopresence.redis.limit_group import RedisGroup
from aiopresence.redis.own_seat import OwnSeat
from tests.support.limits_twin import Twin

LIMIT, WINDOW = 5, 60
EPOCH = 1_700_000_000_000
WAITS = (0.01, 0.3, 2.0, 9.0, 63.0)
# Seconds until a request arrives, and until it is answered after that.
ARRIVES, ANSWERED = (0.001, 0.2, 0.9), (0.001, 0.3, 8.0)


@attrs.define
class Demand:
    """How many requests of a process wait."""

    count: int = 0

    def demand(self, _: object) -> dict[int, int]:
        return {0: self.count} if self.count else {}

    def wake_waiters(self) -> None:
        """Nothing waits for it here."""


@attrs.define(eq=False)
class Process:
    """A process. Its clock has an offset; while it is stopped, what happens is kept for later."""

    group: RedisGroup
    waiting: Demand
    offset: float
    is_calling: bool = False
    is_stopped: bool = False
    is_killed: bool = False
    missed: list[Callable[[], None]] = attrs.field(factory=list)


class SharedLimits(RuleBasedStateMachine):
    @initialize(offsets=st.tuples(*[st.sampled_from((0.0, 300.0, -300.0))] * 2))
    def start(self, offsets: tuple[float, ...]) -> None:
        self.now, self.number = 1000.0, itertools.count()
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.redis, self.run_id, self.clock_offset, self.is_ahead = Twin(), 1, 0.0, False
        self.saved: list[tuple[float, Twin]] = []
        self.is_down, self.replies_lost, self.is_repeating, self.latency = False, 0, False, 0.001
        self.arrivals: list[float] = []
        # Requests that were refused, and how many of them may have been: the probes.
        self.refused = self.probes = 0
        self.penalty_until = 0.0
        self.arrives, self.answered, self.is_unanswered = ARRIVES[0], ANSWERED[0], False
        self.processes: list[Process] = []
        for offset in offsets:
            self.add_process(offset)
        self.ask(0, 1)
        self.advance(1.0)  # Redis has the record of a process that lives on.
        self.probes = 0

    def add_process(self, offset: float) -> None:
        waiting, name = Demand(), f"p{len(self.processes)}"
        own = OwnSeat(0, "")
        group = RedisGroup("light", GroupLimits(LIMIT, WINDOW), name, waiting, own)
        self.processes.append(Process(group, waiting, offset))

    # Time.

    def at(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + seconds, next(self.number), happens))

    def advance(self, seconds: float) -> None:
        """Let everything happen that is due."""
        end = self.now + seconds
        while True:
            for process in self.processes:
                self.send(process)
            at, process = min(
                ((self.due(each), each) for each in self.processes), key=lambda each: each[0]
            )
            if self.events and self.events[0][0] <= min(at, end):
                self.now, _, happens = heapq.heappop(self.events)
                happens()
            elif at <= end:
                self.now = max(self.now, at)
                self.call(process)
            else:
                break
        self.now = end

    def due(self, process: Process) -> float:
        if process.is_calling or process.is_stopped or process.is_killed:
            return inf
        return max(self.now, process.group.due(self.now + process.offset) - process.offset)

    def happen(self, process: Process, what: Callable[[], None]) -> None:
        """Let a process see something, later if it is stopped, and never if it is killed."""
        if process.is_stopped:
            process.missed.append(what)
        elif not process.is_killed:
            what()

    # Calls of the script.

    def call(self, process: Process) -> None:
        sent = self.now + process.offset
        values = orjson.loads(process.group.call(sent).encode())
        process.is_calling = True
        self.at(self.latency, lambda: self.run_script(process, values, sent))

    def run_script(self, process: Process, values: list[Any], sent: float) -> None:
        reply: Reply | None = None
        if not self.is_down:
            self.saved = [each for each in self.saved if each[0] > self.now - 5.0]
            self.saved.append((self.now, deepcopy(self.redis)))
            is_known = values[2] or self.redis.owner or self.redis.groups or self.redis.unreadable
            self.probes += not is_known or (self.is_ahead and values[3] < 0)
            self.is_ahead = False
            raw = EPOCH + int((self.now + self.clock_offset) * 1000)
            replied = self.redis.run(raw, f"run{self.run_id}", values)
            if self.is_repeating:
                replied = self.redis.run(raw, f"run{self.run_id}", values)
            reply = read_reply(orjson.dumps(replied)) if replied is not None else None
            if self.replies_lost:
                self.replies_lost, reply = self.replies_lost - 1, None
        self.at(
            self.latency, lambda: self.happen(process, lambda: self.reply(process, reply, sent))
        )

    def reply(self, process: Process, reply: Reply | None, sent: float) -> None:
        process.is_calling = False
        if reply is None:
            process.group.failed(self.now + process.offset)
        else:
            process.group.apply(reply, sent, self.now + process.offset)

    # Requests.

    def send(self, process: Process) -> None:
        if process.is_stopped or process.is_killed:
            return
        now = self.now + process.offset
        while process.waiting.count and process.group.delay(now) == 0:
            slot = process.group.take(now)
            process.waiting.count -= 1
            self.at(self.arrives, lambda slot=slot: self.arrive(process, slot))  # type: ignore[misc]

    def arrive(self, process: Process, slot: Any) -> None:
        used = sum(time > self.now - WINDOW for time in self.arrivals)
        headers = {
            "x-rate-limit-group": "light",
            "x-rate-limit-limit": f"{LIMIT}",
            "x-rate-limit-window": f"{WINDOW}",
            "x-rate-limit-remaining": f"{max(0, LIMIT - used - 1)}",
        }
        refused = used >= LIMIT or self.now < self.penalty_until
        if refused:
            self.refused, self.penalty_until = self.refused + 1, self.now + WINDOW
            self.probes += self.is_unanswered
            headers["retry-after"] = f"{WINDOW}"
        else:
            self.arrivals.append(self.now)

        def answer() -> None:
            process.group.complete(self.now + process.offset, slot, headers, refused=refused)

        def give_up() -> None:
            process.group.abandon(self.now + process.offset, slot)

        ends = give_up if self.is_unanswered else answer
        self.at(self.answered, lambda: self.happen(process, ends))

    # What happens.

    @rule(which=st.integers(0, 3), count=st.integers(1, 6))
    def ask(self, which: int, count: int) -> None:
        self.processes[which % len(self.processes)].waiting.count += count

    @rule(seconds=st.sampled_from(WAITS))
    def wait(self, seconds: float) -> None:
        self.advance(seconds)

    @rule(
        arrives=st.sampled_from(ARRIVES),
        answered=st.sampled_from(ANSWERED),
        is_unanswered=st.booleans(),
    )
    def change_network(self, arrives: float, answered: float, is_unanswered: bool) -> None:
        self.arrives, self.answered, self.is_unanswered = arrives, answered, is_unanswered

    @rule(is_down=st.booleans(), lost=st.integers(0, 3), repeats=st.booleans())
    def change_redis(self, is_down: bool, lost: int, repeats: bool) -> None:
        self.is_down, self.replies_lost, self.is_repeating = is_down, lost, repeats

    @rule(latency=st.sampled_from((0.001, 0.05, 0.2)))
    def change_latency(self, latency: float) -> None:
        self.latency = latency

    @rule(seconds=st.sampled_from((0.2, -0.2, 3600.0, -3600.0, 90.0)))
    def set_clock_of_redis(self, seconds: float) -> None:
        self.clock_offset += seconds
        self.is_ahead |= seconds > 0

    @rule(restarts=st.booleans())
    def lose_data(self, restarts: bool) -> None:
        self.redis.flush()
        self.run_id += restarts

    @rule(what=st.sampled_from(("group", "unreadable group", "owner")))
    def lose_one_value(self, what: str) -> None:
        if what == "owner" and self.redis.groups and not self.redis.unreadable:
            self.redis.owner = None
        elif what == "group" and self.redis.owner and not self.redis.unreadable:
            self.redis.groups.pop("group", None)
        elif self.redis.groups:
            self.redis.unreadable.add("group")

    @rule()
    def fail_over(self) -> None:
        """Let a replica take over that does not have the last second."""
        older = [twin for time, twin in self.saved if time >= self.now - 1.0]
        if older:
            self.redis, self.run_id = deepcopy(older[0]), self.run_id + 1

    @rule(which=st.integers(0, 3))
    def stop_or_resume(self, which: int) -> None:
        process = self.processes[which % len(self.processes)]
        process.is_stopped = not process.is_stopped
        if not process.is_stopped:
            missed, process.missed = process.missed, []
            for each in missed:
                self.happen(process, each)

    @rule(offset=st.sampled_from((0.0, 50.0)))
    def replace_process(self, offset: float) -> None:
        """Kill a process, and start another one; the first of all lives on."""
        if len(self.processes) < 5:
            self.processes[-1].is_killed = len(self.processes) > 1
            self.add_process(offset)

    # What must be true.

    @invariant()
    def no_window_has_more_requests_than_the_limit(self) -> None:
        assert getattr(self, "refused", 0) <= getattr(self, "probes", 0)

    def teardown(self) -> None:
        """Let everybody be served in the end."""
        if not hasattr(self, "processes"):
            return
        self.change_redis(is_down=False, lost=0, repeats=False)
        for number, process in enumerate(self.processes):
            if process.is_stopped:
                self.stop_or_resume(number)
            if process.is_killed:
                process.waiting.count = 0
        waiting = sum(process.waiting.count for process in self.processes)
        for _ in range(4 + 2 * waiting // LIMIT):
            self.advance(WINDOW + 10.0)
        assert not any(process.waiting.count for process in self.processes)
        self.no_window_has_more_requests_than_the_limit()


TestSharedLimits: Any = SharedLimits.TestCase
TestSharedLimits.settings = settings(
    max_examples=settings().max_examples // 2,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.filter_too_much],
)
