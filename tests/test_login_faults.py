"""Random failures of the login under bulk reads, a board and an event stream, in virtual time."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs
import pytest

from aiopresence import (
    AuthError,
    ConnectionFailed,
    DecodeError,
    PresenceError,
    PresenceEvent,
    RateLimited,
    Resync,
    ServerError,
    Timeout,
    filters,
)
from aiopresence.sandbox import Answer, Change, Delay, Fault, FaultRule, Reset, Sandbox
from tests.live.test_convergence import picture, truth
from tests.support.virtual import run, virtual_sandbox, virtual_session

TOKEN, PRESENCE = "/oauth/token", "/presence"
LOGIN_ERRORS = (ServerError, ConnectionFailed, Timeout, RateLimited, DecodeError)
STATUSES = ("Available", "Busy", "Offline")
SCHEDULES, REFUSING = 20, 5


class Line:
    """Delays each request by a random time and records when each token was rejected.

    Attributes:
        faults: the faults that apply after the delay.
        rejected_at: when the 401 for an access token was sent, by token.
    """

    def __init__(self, sandbox: Sandbox, chance: random.Random) -> None:
        self.faults = type(sandbox.faults)()
        self.rejected_at: dict[str, float] = {}
        self._chance = chance
        sandbox.faults.add(self, times=None)

    async def apply(self, exchange: Any) -> Any:
        """Answer a request after the delay."""
        received = exchange.received
        await exchange.pause(self._chance.uniform(0.01, 0.2))
        fault = self.faults.find(received)
        reply = exchange.real() if fault is None else await fault.apply(exchange)
        if reply is not None and reply.status == 401 and received.token:
            now = asyncio.get_running_loop().time()
            self.rejected_at.setdefault(received.token, now)
        return reply


class Schedule:
    """One session with everything that uses its login, and a random sequence of faults."""

    def __init__(self, seed: int, fired: Counter[str]) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - a reproducible schedule
        self.max_wait = self.chance.choice((None, 4.0))
        self.fired = fired
        self.refuses = False
        self.reads = self.events = 0
        self.failures: Counter[type] = Counter()
        # What each extension was, with the time since when.
        self.history: dict[str, list[tuple[float, str]]] = {}

    async def run(self, *, refuse: bool) -> None:
        """Run the schedule; with `refuse` the credentials are refused at its end."""
        async with virtual_sandbox(6) as sandbox:
            self.sandbox, self.line = sandbox, Line(sandbox, self.chance)
            for id_ in sandbox.user_ids:
                self.change(id_)
            async with virtual_session(sandbox, timeout=5.0, max_wait=self.max_wait) as session:
                self.session = session
                stream = asyncio.create_task(self.follow())
                reader = asyncio.create_task(self.read())
                board = session.board(refresh=20.0)
                try:
                    async with board:
                        await board.wait_ready()
                        for _ in range(3):
                            await self.step()
                        self.line.faults.clear()
                        if refuse:
                            await self.refuse(board, stream)
                        else:
                            await self.settle(board, stream)
                except AuthError as error:
                    self.check_error(error)
                for task in (reader, stream):
                    task.cancel()
                ends = await asyncio.gather(reader, stream, return_exceptions=True)
                assert isinstance(ends[0], asyncio.CancelledError), ends[0]
        self.check_ledger()

    # What uses the login.

    async def read(self) -> None:
        """Read everything again and again; each outcome is right or the login's own error."""
        while True:
            began = self.now()
            try:
                result = await self.session.read_user_presence_statuses(self.sandbox.user_ids)
            except AuthError as error:
                self.check_error(error)
            else:
                for failure in result.errors.values():
                    self.check_error(failure)
                for id_, value in result.values.items():
                    assert value.user_status in self.states(id_, began)
                    self.reads += 1
            await asyncio.sleep(self.chance.uniform(4.0, 12.0))

    async def follow(self) -> None:
        """Follow the event stream."""
        which = filters.account_presence(detailed=False)
        async for event in self.session.events([which]):
            assert isinstance(event, (PresenceEvent, Resync))
            self.events += 1

    def check_error(self, error: PresenceError) -> None:
        """Check that an error is the login's own; a final AuthError is for refused credentials."""
        self.failures[type(error)] += 1
        if isinstance(error, AuthError) and not error.final:
            # Tokens were rejected as often as they were issued, and the call may not wait longer.
            assert self.max_wait is not None, error
        elif isinstance(error, AuthError):
            assert self.refuses, error
        else:
            assert isinstance(error, LOGIN_ERRORS), error

    # What happens.

    async def step(self) -> None:
        """Make the token useless, let the next logins fail, and wait."""
        self.line.faults.clear()
        name, fault = self.login_fault()
        if fault is not None:
            # Each 429 doubles the wait before the next login.
            times = self.chance.randint(1, {"same token": 2, "429": 3}.get(name, 6))
            rule = self.line.faults.add(fault, path=TOKEN, times=times)
        with self.counting(name, rule if fault else None), self.counting(*self.lose_token()):
            until = self.now() + self.chance.choice((1.0, 10.0, 40.0))
            while self.now() < until:
                self.change(self.chance.choice(self.sandbox.user_ids))
                await asyncio.sleep(self.chance.uniform(3.0, 9.0))

    def login_fault(self) -> tuple[str, Fault | None]:
        wait = str(self.chance.randint(1, 15))
        old = next((r.token for r in reversed(self.sandbox.requests) if r.token), "")

        def again(body: bytes) -> bytes:
            return json.dumps({**json.loads(body), "access_token": old}).encode()

        faults: dict[str, Fault | None] = {
            "503": Answer(503),
            "503 with Retry-After": Answer(503, headers={"Retry-After": wait}),
            "reset": Reset(),
            "HTML": Answer(200, b"<html>log in to this network</html>"),
            "slow": Delay(self.chance.uniform(1.0, 9.0)),
            "same token": Change(again),
            "429": Answer(429, headers={"Retry-After": wait}),
            "none": None,
        }
        return self.chance.choice([*faults.items()])

    def lose_token(self) -> tuple[str, FaultRule | None]:
        how = self.chance.choice(("rejected early", "expired", "revoked"))
        if how == "rejected early":
            times = self.chance.randint(1, 2)
            rejected = Answer.error(401, "OAU-213", "Token not found")
            return how, self.line.faults.add(rejected, path=PRESENCE, times=times)
        self.sandbox.expire_tokens()
        if how == "revoked":
            self.sandbox.expire_refresh_tokens()
        self.fired[how] += 1
        return how, None

    @contextmanager
    def counting(self, name: str, rule: FaultRule | None) -> Iterator[None]:
        yield
        self.fired[name] += rule.fired if rule else 0

    def change(self, id_: str, status: str | None = None) -> None:
        status = status or self.chance.choice(STATUSES)
        self.sandbox.set_presence(id_, user_status=status)
        self.history.setdefault(id_, []).append((self.now(), status))

    # How it ends.

    async def settle(self, board: Any, stream: "asyncio.Task[None]") -> None:
        """Wait until nothing is left of the faults; check that everything works."""
        # The board may be reading everything at a multiple of 20 s; it is live all the same.
        await asyncio.sleep(120.0)
        assert board.is_live
        assert not any(board.is_stale(id_) for id_ in board)
        fresh = truth(self.sandbox)
        assert picture(board) == {
            id_: attrs.evolve(fresh[id_], active_calls=board[id_].active_calls) for id_ in board
        }
        assert set(board) == set(fresh)
        assert not stream.done()
        before = self.events
        for status in STATUSES:
            self.change(self.sandbox.user_ids[0], status)
        await asyncio.sleep(10.0)
        assert self.events > before
        assert self.reads

    async def refuse(self, board: Any, stream: "asyncio.Task[None]") -> None:
        """Refuse the credentials; everything ends with an AuthError."""
        self.refuses = True
        refused = Answer.error(401, "OAU-146", "Invalid client")
        rule = self.line.faults.add(refused, path=TOKEN, times=None)
        with self.counting("refused", rule):
            self.sandbox.expire_tokens()
            self.sandbox.gateway.close()
            await asyncio.sleep(200.0)
        assert isinstance(stream.exception(), AuthError)
        await board.wait_ready()  # Raises it.

    # What is checked.

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def states(self, id_: str, began: float) -> set[str]:
        """Return what an extension was since a time."""
        past = [status for since, status in self.history[id_] if since <= began]
        return {*past[-1:], *(status for since, status in self.history[id_] if since > began)}

    def check_ledger(self) -> None:
        """Check that no token was sent after its rejection."""
        for each in self.sandbox.requests:
            rejected_at = self.line.rejected_at.get(each.token or "", float("inf"))
            assert each.arrival < rejected_at, f"{each.path} with a rejected token"


@pytest.mark.fault
def test_login_faults_reach_callers_as_they_are_and_end_no_board_and_no_stream() -> None:
    fired: Counter[str] = Counter()
    failures: Counter[type] = Counter()
    for seed in range(SCHEDULES):
        random.seed(seed)  # The library's own jitter.
        schedule = Schedule(seed, fired)
        try:
            run(partial(schedule.run, refuse=seed % (SCHEDULES // REFUSING) == 0))
        except BaseException as error:
            error.add_note(f"schedule {seed}")
            raise
        failures += schedule.failures
    assert set(fired) == {
        "503", "503 with Retry-After", "reset", "HTML", "slow", "same token", "429", "none",
        "rejected early", "expired", "revoked", "refused",
    }  # fmt: skip
    assert all(count for name, count in fired.items() if name != "none"), fired
    assert set(failures) == {*LOGIN_ERRORS, AuthError}, failures
