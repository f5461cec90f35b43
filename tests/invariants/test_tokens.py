"""A login is renewed by one task at a time, and no request is sent with a token that is rejected.

In full, for two processes with three sessions that share a token store:

- There is at most one request to the token endpoint on its way, and none while the store has a new
  token that was not rejected.
- No call is sent with a token after a response has said that it is not valid.
- A cancelled call ends neither the login of the others nor the others.
- When the token endpoint works, every call succeeds or says why it could not; none waits forever.

The server's side is asserted on the requests that it has received.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from math import inf
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiopresence import (
    MemoryTokenStore,
    PresenceError,
    PresenceSession,
    RequestFinished,
    RequestSent,
    SessionHooks,
    UsageError,
)
from aiopresence.sandbox import Answer, Delay, Exchange, Fault, Hang, Received, Reset
from aiopresence.sandbox.responses import Response
from aiopresence.transport.clock import Clock
from tests.support.private_loop import PrivateLoop, stories
from tests.support.virtual import virtual_sandbox

TOKEN, CALL = "/oauth/token", "/presence"
# The endpoint issues the last token again.
AGAIN = Delay(0.001)
LOGIN_FAULTS: dict[str, Fault] = {
    "again": AGAIN,
    "lost": Reset(after_handling=True),
    "reset": Reset(),
    "busy": Answer.error(503, "CMN-211", headers={"Retry-After": "2"}),
    "429": Answer.error(429, "CMN-301", headers={"Retry-After": "5"}),
    "refused": Answer.error(400, "OAU-213"),
    "slow": Delay(10.0),
    "no answer": Hang(),
    "no token": Answer(200, b"{}", {"Content-Type": "application/json"}),
}


class OtherProcess(PresenceSession):
    """A session that shares nothing but the store with those of another clock."""

    _clock = Clock()


class SharedStore(MemoryTokenStore):
    """What is behind the stores of all processes.

    Attributes:
        latest: the access token that was last saved.
        saved_at: when.
    """

    latest: str | None = None
    saved_at = -inf

    async def save(self, key: str, token: dict[str, Any] | None) -> None:
        self.latest = None if token is None else token["access_token"]
        self.saved_at = asyncio.get_running_loop().time()
        await super().save(key, token)


class ProcessStore:
    """The store of one process: other objects than those of another one, with the same tokens.

    Args:
        shared: where the tokens are.

    Attributes:
        pause: seconds that each access takes.
    """

    def __init__(self, shared: MemoryTokenStore) -> None:
        self._shared = shared
        self.pause = 0.0

    async def load(self, key: str) -> dict[str, Any] | None:
        await asyncio.sleep(self.pause)
        return await self._shared.load(key)

    async def save(self, key: str, token: dict[str, Any] | None) -> None:
        await asyncio.sleep(self.pause)
        await self._shared.save(key, token)

    def lock(self, key: str) -> AbstractAsyncContextManager[Any]:
        return self._lock(key)

    @asynccontextmanager
    async def _lock(self, key: str) -> AsyncIterator[None]:
        async with self._shared.lock(key):
            await asyncio.sleep(self.pause)
            yield


class Endpoint:
    """Handles all requests, with faults, and checks the tokens that they are sent with.

    Attributes:
        faults: by the part of a path: the faults of the next requests.
        problems: what must not happen.

    Args:
        store: where the tokens are.
    """

    def __init__(self, store: SharedStore) -> None:
        self._store = store
        self._last_login: Response | None = None
        self._count = 0
        self.faults: dict[str, deque[Fault]] = {TOKEN: deque(), CALL: deque()}
        self.problems: list[str] = []
        self._issued: list[str] = []
        # By process and token: when the process was told that it is not valid, and when it was
        # first used.
        self._rejected_at: dict[tuple[bool, str], float] = {}
        self._used_at: dict[tuple[bool, str], float] = {}

    async def apply(self, exchange: Exchange) -> Response | None:
        received = exchange.received
        self._count += 1
        await asyncio.sleep(1.7e-5 * self._count)  # No response comes just when a call begins.
        if received.token is not None:
            self._check(received, received.token)
        elif received.arrival < self._store.saved_at + 10.0 and not self._is_latest_rejected():
            self.problems.append("a login although the store has a new token")
        faults = next((f for path, f in self.faults.items() if path in received.path), None)
        if faults:
            fault = faults.popleft()
            response = await fault.apply(exchange)
            if fault is AGAIN and self._last_login is not None:
                response = self._last_login
        else:
            response = exchange.real()
        if response is not None:
            self._note(received, response)
        return response

    def _is_latest_rejected(self) -> bool:
        return any(token == self._store.latest for _, token in self._rejected_at)

    def _check(self, received: Received, token: str) -> None:
        process = _is_second(received)
        if received.arrival >= self._rejected_at.get((process, token), inf):
            self.problems.append("a token was sent again after it had been rejected")
        newer = self._issued[self._issued.index(token) + 1 :]
        if any(received.arrival > self._used_at.get((process, each), inf) for each in newer):
            self.problems.append("a token was sent after a newer one")
        self._used_at.setdefault((process, token), received.arrival)

    def _note(self, received: Received, response: Response) -> None:
        now = asyncio.get_running_loop().time()
        if received.token is not None and response.status == 401:
            self._rejected_at.setdefault((_is_second(received), received.token), now)
        if received.path.endswith(TOKEN) and response.status == 200:
            token = json.loads(response.body).get("access_token")
            if token is not None:
                self._last_login = response
                if token not in self._issued:
                    self._issued.append(token)


def _is_second(received: Received) -> bool:
    """Return whether the second process has sent a request, whose calls have an id."""
    return "~/presence" not in received.path


class Logins(SessionHooks):
    """Counts the token requests on their way, the most at a time, and those that were cancelled."""

    def __init__(self) -> None:
        self.now = self.most = self.cancelled = 0

    def on_request(self, request: RequestSent) -> None:
        self.now += request.path.endswith(TOKEN)
        self.most = max(self.most, self.now)

    def on_response(self, request: RequestFinished) -> None:
        self.now -= request.path.endswith(TOKEN)
        is_cancelled = isinstance(request.error, asyncio.CancelledError)
        self.cancelled += is_cancelled and request.path.endswith(TOKEN)


class Tokens(RuleBasedStateMachine):
    """Calls of three sessions; the first two are of one process."""

    @initialize(seed=st.none() | st.integers(0, 99), lifetime=st.sampled_from([3600.0, 40.0]))
    def begin(self, seed: int | None, lifetime: float) -> None:
        self.loop = PrivateLoop(seed)
        self.sandbox = virtual_sandbox(5, token_lifetime=lifetime, latency=0.01)
        self.loop.run(self.sandbox.start())
        shared = SharedStore()
        self.endpoint, self.logins = Endpoint(shared), Logins()
        self.sandbox.faults.add(self.endpoint, times=None)
        self.stores = [ProcessStore(shared), ProcessStore(shared)]
        self.sessions: list[PresenceSession] = []
        options: dict[str, Any] = {"timeout": 20.0, "concurrency": 2, "hooks": self.logins}
        for number in range(3):
            process, store = (OtherProcess, 1) if number == 2 else (PresenceSession, 0)
            session = process(
                self.sandbox.grant,
                server=self.sandbox.url,
                token_store=self.stores[store],
                **options,
            )
            self.loop.run(session.__aenter__())
            self.sessions.append(session)
        self.is_open = [True] * 3
        self.calls: list[asyncio.Task[Any]] = []
        self.cancelled: set[asyncio.Task[Any]] = set()
        # The logins that were cancelled because a session was closed.
        self.ended_logins = 0

    @rule(number=st.integers(0, 2), times=st.integers(1, 3))
    def call(self, number: int, times: int) -> None:
        if self.is_open[number]:
            for _ in range(times):
                self.calls.append(self.loop.start(self.read(number)))

    def read(self, number: int) -> Coroutine[Any, Any, Any]:
        id_ = "~" if number < 2 else self.sandbox.user_ids[1]
        return self.sessions[number].read_user_presence_status(id_)

    # Calls must not begin exactly when a response comes.
    @rule(seconds=st.sampled_from([0.00113, 0.00517, 0.01131, 0.0217, 1.007, 9.03, 31.0, 3500.0]))
    def wait(self, seconds: float) -> None:
        self.loop.pass_time(seconds)

    @rule()
    def expire(self) -> None:
        """RingCentral ends the tokens, and the refresh tokens remain."""
        self.sandbox.expire_tokens()

    @rule()
    def expire_refresh_tokens(self) -> None:
        self.sandbox.expire_refresh_tokens()

    @rule(name=st.sampled_from([*LOGIN_FAULTS]), times=st.integers(1, 3))
    def fail_logins(self, name: str, times: int) -> None:
        self.endpoint.faults[TOKEN].extend([LOGIN_FAULTS[name]] * times)

    @rule(times=st.integers(1, 4))
    def reject(self, times: int) -> None:
        """Reject tokens, also new ones."""
        self.endpoint.faults[CALL].extend([Answer.error(401, "OAU-213")] * times)

    @rule(seconds=st.sampled_from([0.5, 5.0]))
    def delay_calls(self, seconds: float) -> None:
        self.endpoint.faults[CALL].extend([Delay(seconds)] * 3)

    @rule(number=st.integers(0, 1), seconds=st.sampled_from([0.0, 0.02, 3.0]))
    def slow_down_store(self, number: int, seconds: float) -> None:
        self.stores[number].pause = seconds

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 9), step=st.integers(0, 12))
    def cancel(self, number: int, step: int) -> None:
        """Cancel a call, which may be the one that logs in for all."""
        task = self.calls[number % len(self.calls)]
        self.cancelled.add(task)
        self.loop.cancel_at(task, step)
        self.loop.pass_time()
        task.cancel()

    @rule(
        before=st.sampled_from(["nothing", "expire", "reject"]),
        seconds=st.sampled_from([0.00113, 0.0053, 0.0121]),
        then=st.sampled_from(["nothing", "cancel", "close"]),
        number=st.integers(0, 2),
    )
    def call_together(self, before: str, seconds: float, then: str, number: int) -> None:
        """Call in all sessions, and end one of the calls or sessions soon after."""
        if before == "expire":
            self.expire()
        elif before == "reject":
            self.reject(2)
        first = len(self.calls)
        for each in range(3):
            self.call(each, 1)
        self.loop.pass_time(seconds)
        if then == "cancel" and len(self.calls) > first:
            self.cancel(first + number % (len(self.calls) - first), 0)
        elif then == "close":
            self.close(number)

    @rule(number=st.integers(0, 2))
    def close(self, number: int) -> None:
        if self.is_open[number]:
            before = self.logins.cancelled
            self.loop.run(self.sessions[number].close())
            self.ended_logins += self.logins.cancelled - before
            self.is_open[number] = False

    @rule(number=st.integers(0, 2))
    def open(self, number: int) -> None:
        if not self.is_open[number]:
            self.loop.run(self.sessions[number].__aenter__())
            self.is_open[number] = True

    @invariant()
    def tokens_are_used_as_they_should_be(self) -> None:
        if hasattr(self, "endpoint"):
            assert not self.endpoint.problems
            assert self.logins.most <= 1, "two token requests were on their way"
            assert self.logins.cancelled == self.ended_logins, "a call has ended a login"

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        for number in range(3):
            self.open(number)
        self.loop.pass_time(60.0)
        for faults in self.endpoint.faults.values():
            faults.clear()
        for store in self.stores:
            store.pause = 0.0
        self.loop.pass_time(86_400.0)
        for task in self.calls:
            assert task.done(), "a call waits forever"
            assert task in self.cancelled or not task.cancelled()
            if not task.cancelled() and (error := task.exception()) is not None:
                assert isinstance(error, PresenceError | UsageError)
        for number, session in enumerate(self.sessions):
            self.loop.run(self.read(number))
            self.loop.run(session.close())
        self.loop.run(self.sandbox.close())
        self.tokens_are_used_as_they_should_be()
        assert self.logins.now == 0
        assert not self.loop.tasks
        assert not self.loop.timers
        self.loop.close()
        assert not self.loop.problems


TestTokens: Any = Tokens.TestCase
TestTokens.settings = stories(share=1.0, steps=20)
