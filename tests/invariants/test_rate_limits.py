"""No request arrives during a known penalty, nor more than the limit in any window.

That is asserted on the requests that the server has received, from two sessions of one login with
different concurrency, while calls are cancelled, answers are slow or lost, tokens expire and, in
some stories, other clients use the same quota. If they do not, there is no 429 at all. In the end
every call is served.
"""

import asyncio
from bisect import bisect_left
from collections import defaultdict
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from aiopresence import PresenceError, PresenceSession
from aiopresence.sandbox import Answer, Delay, Exchange, Fault, Reset
from aiopresence.sandbox.responses import Response
from tests.support.operations import OPERATIONS
from tests.support.private_loop import PrivateLoop, stories
from tests.support.virtual import virtual_sandbox, virtual_session

LIMITS = {"Light": 4, "Medium": 3, "Heavy": 2, "Auth": 5}
LATENCY = 0.125
CALLS = (
    "read_user_presence_status",
    "read_user_presence_statuses",
    "iter_user_presence_statuses, fastest",
    "update_user_presence_statuses",
    "iter_account_presence",
    "read_directory",
)
FAULTS: dict[str, Fault] = {
    "slow": Delay(3.0),
    "very slow": Delay(25.0),
    "reset": Reset(),
    "lost": Reset(after_handling=True),
    "busy": Answer.error(503, "CMN-211"),
}


class Penalties:
    """Passes requests on to a fault or the server, and notes when a client learns of a 429."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        # By group: when a 429 was answered, and the end of the penalty that it states.
        self.known: dict[str, list[tuple[float, float]]] = defaultdict(list)

    async def apply(self, exchange: Exchange) -> Response | None:
        fault = self.faults.pop(0) if self.faults else None
        response = await fault.apply(exchange) if fault else exchange.real()
        if response is not None and response.status == 429:
            now = asyncio.get_running_loop().time()
            seconds = float(response.headers.get("Retry-After", 30.0))
            self.known[exchange.received.group].append((now, now + seconds))
        return response


class RateLimitsOnTheWire(RuleBasedStateMachine):
    """Two sessions of one login, at a server with small limits."""

    @initialize(
        seed=st.none() | st.integers(0, 99),
        is_alone=st.booleans(),
        has_headers=st.booleans(),
        has_retry_after=st.booleans(),
    )
    def begin(
        self, seed: int | None, is_alone: bool, has_headers: bool, has_retry_after: bool
    ) -> None:
        self.loop = PrivateLoop(seed)
        self.is_alone = is_alone
        self.sandbox = virtual_sandbox(
            50,
            limits=LIMITS,
            latency=LATENCY,
            rate_headers=has_headers,
            retry_after=has_retry_after,
            token_lifetime=500.0,
        )
        self.loop.run(self.sandbox.start())
        self.penalties = Penalties()
        self.sandbox.faults.add(self.penalties, times=None)
        self.sessions: list[PresenceSession] = []
        for options in ({"concurrency": 2}, {"concurrency": 5}, {"max_wait": 20.0}):
            session = virtual_session(self.sandbox, limits=LIMITS, **options)
            self.loop.run(session.__aenter__())
            self.sessions.append(session)
        self.calls: list[asyncio.Task[Any]] = []

    @rule(name=st.sampled_from(CALLS), number=st.integers(0, 2), times=st.integers(1, 4))
    def call(self, name: str, number: int, times: int) -> None:
        for _ in range(times):
            work = OPERATIONS[name].run(self.sessions[number], self.sandbox)
            self.calls.append(self.loop.start(work))

    @rule(seconds=st.sampled_from([0.001, 0.3, 1.0, 7.0, 59.0, 61.0, 600.0]))
    def wait(self, seconds: float) -> None:
        self.loop.pass_time(seconds)

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 30), step=st.integers(0, 9))
    def cancel(self, number: int, step: int) -> None:
        task = self.calls[number % len(self.calls)]
        self.loop.cancel_at(task, step)
        self.loop.pass_time()
        task.cancel()

    @rule(name=st.sampled_from([*FAULTS]), times=st.integers(1, 3))
    def fail(self, name: str, times: int) -> None:
        self.penalties.faults += [FAULTS[name]] * times

    @rule()
    def expire(self) -> None:
        self.sandbox.expire_tokens()

    @precondition(lambda self: not self.is_alone)
    @rule(group=st.sampled_from([*LIMITS]), requests=st.integers(1, 6))
    def others_send(self, group: str, requests: int) -> None:
        self.loop.call(lambda: self.sandbox.consume(group, requests))

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        self.penalties.faults.clear()
        self.loop.pass_time(4 * 3600.0)
        for task in self.calls:
            assert task.done(), "a call is never served"
            if not task.cancelled() and (error := task.exception()) is not None:
                assert isinstance(error, PresenceError), repr(error)
        self.loop.run(self.sessions[0].read_user_presence_status())
        for session in self.sessions:
            self.loop.run(session.close())
        self.loop.run(self.sandbox.close())
        self.check_log()
        left = self.loop.tasks, self.loop.timers
        self.loop.close()
        assert left == (set(), [])
        assert not self.loop.problems

    def check_log(self) -> None:
        arrivals = defaultdict(list)
        for each in self.sandbox.requests:
            arrivals[each.group].append(each.arrival)
        for group, known in self.penalties.known.items():
            for began, ended in known:
                times = arrivals[group]
                inside = times[bisect_left(times, began + 1e-6) : bisect_left(times, ended)]
                assert not inside, f"{group}: sent during a penalty"
        if self.is_alone:
            assert self.sandbox.counters.rate_limited == 0
            for group, limit in LIMITS.items():
                times = arrivals[group]
                for first, last in zip(times, times[limit:], strict=False):
                    assert last - first > 60.0, f"{group}: more than {limit} in a window"


TestRateLimits: Any = RateLimitsOnTheWire.TestCase
TestRateLimits.settings = stories(share=0.2, steps=15)
