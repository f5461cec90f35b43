"""Everything at once: bulk reads, boards, limits, tokens, cancellations and closing hold together.

Two sessions of one login work for a whole story, in which anything fails: requests, tokens, quotas,
connections for events. Answers are those of their ids, every call ends, a board shows what the
server has in the end, and nothing remains.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from aiopresence import AuthError, Outcome, PresenceError, PresenceSession, UsageError
from aiopresence.sandbox import Answer, Change, Delay, Fault, Hang, Reset, Truncate
from tests.support.mangling import KINDS, mangled
from tests.support.operations import OPERATIONS
from tests.support.private_loop import PrivateLoop, stories
from tests.support.virtual import virtual_sandbox, virtual_session

FAULTS: dict[str, Fault] = {
    "busy": Answer.error(503, "CMN-211", headers={"Retry-After": "3"}),
    "429": Answer.error(429, "CMN-301", headers={"Retry-After": "7"}),
    "bare 429": Answer(429, bare=True),
    "401": Answer.error(401, "OAU-213"),
    "too many": Answer.error(400, "InvalidMultipartRequest"),
    "reset": Reset(),
    "reset later": Reset(after_handling=True),
    "cut": Truncate(500, declared=False),
    "slow": Delay(12.0),
    "hang": Hang(),
}
PATHS = ("/extension/", "/account/~/presence", "/oauth/token", "/oauth/wstoken", "/ws", "")
# Those that change what the story knows of the presence of others are left out.
CALLS = sorted(name for name, each in OPERATIONS.items() if each.is_shared and name != "revoke")

ROUTES = st.sampled_from(["batches", "account", "fastest"])


class Everything(RuleBasedStateMachine):
    """One sandbox, one session with a board for the whole story, and one that comes and goes."""

    @initialize(
        seed=st.none() | st.integers(0, 99),
        limits=st.sampled_from([None, {"Light": 6, "Medium": 5, "Heavy": 3, "Auth": 5}]),
        hrefs=st.booleans(),
        lifetime=st.sampled_from([3600.0, 300.0]),
        refresh=st.sampled_from([None, 1800.0]),
    )
    def begin(
        self,
        seed: int | None,
        limits: dict[str, int] | None,
        hrefs: bool,
        lifetime: float,
        refresh: float | None,
    ) -> None:
        self.loop = PrivateLoop(seed)
        options = {} if limits is None else {"limits": limits}
        self.sandbox = virtual_sandbox(40, hrefs=hrefs, token_lifetime=lifetime, **options)
        self.loop.run(self.sandbox.start())
        for id_ in self.sandbox.user_ids:
            self.sandbox_call("set_presence", id_, message=f"of {id_}")
        self.sessions = [
            virtual_session(self.sandbox, concurrency=3),
            virtual_session(self.sandbox, batch_format="json"),
        ]
        for session in self.sessions:
            self.loop.run(session.__aenter__())
        self.board = self.sessions[0].board(refresh=refresh)
        self.loop.run(self.board.__aenter__())
        self.calls: list[asyncio.Task[Any]] = []

    def sandbox_call(self, name: str, *args: Any, **options: Any) -> None:
        self.loop.call(lambda: getattr(self.sandbox, name)(*args, **options))

    @rule(
        name=st.sampled_from([*FAULTS]),
        path=st.sampled_from(PATHS),
        times=st.integers(1, 4),
        skip=st.integers(0, 3),
    )
    def fail(self, name: str, path: str, times: int, skip: int) -> None:
        self.sandbox.faults.add(FAULTS[name], path=path, times=times, skip=skip)

    @rule(
        kind=st.sampled_from(KINDS),
        place=st.integers(0, 40),
        times=st.integers(1, 3),
        number=st.integers(0, 1),
        seed=st.integers(0, 99),
    )
    def read_mangled(self, kind: str, place: int, times: int, number: int, seed: int) -> None:
        """Read while batch responses are wrong in one way."""
        self.sandbox.faults.add(
            Change(lambda body: mangled(body, kind, place) if body else body),
            times=times,
            when=lambda received: len(received.ids) > 1,
        )
        self.read(number, seed, "batches")
        self.loop.pass_time(2.0)

    def expire(self, ended: str) -> None:
        self.sandbox.expire_tokens()
        if ended == "refresh":
            self.sandbox.expire_refresh_tokens()

    @rule(ended=st.sampled_from(["access", "refresh"]), number=st.integers(0, 1))
    def read_when_well(self, ended: str, number: int) -> None:
        """Let everything work again; then all ids have a record, also when tokens have ended."""
        self.sandbox.faults.clear()
        self.loop.pass_time(3600.0)
        self.expire(ended)
        self.loop.run(self.read_all(self.sessions[number]))

    async def read_all(self, session: PresenceSession) -> None:
        outcomes = await session.read_user_presence_statuses(self.sandbox.extension_ids)
        assert [each.id for each in outcomes if each.value is None] == []

    @rule(group=st.sampled_from(["Light", "Heavy", "Auth"]), requests=st.integers(1, 10))
    def others_send(self, group: str, requests: int) -> None:
        self.sandbox_call("consume", group, requests)

    @rule(
        kind=st.sampled_from(["close", "cut", "silence", "duplicate", "nothing"]),
        recovers=st.booleans(),
        places=st.sets(st.integers(0, 30), min_size=1, max_size=3),
        status=st.sampled_from(["Available", "Busy", "Offline"]),
        seconds=st.sampled_from([0.001, 11.0]),
    )
    def change(
        self, kind: str, recovers: bool, places: set[int], status: str, seconds: float
    ) -> None:
        """Change the presence of some, while their events may be lost."""
        gateway = self.sandbox.gateway
        if not recovers:
            self.loop.call(gateway.fail_recovery)
        if kind != "nothing":
            self.loop.call(getattr(gateway, kind))
        users = self.sandbox.user_ids[8:]  # Not those that calls change.
        for place in sorted(places):
            self.sandbox_call("set_presence", users[place % len(users)], user_status=status)
        self.loop.pass_time(seconds)

    @rule(
        number=st.integers(0, 1),
        name=st.sampled_from(CALLS),
        step=st.none() | st.integers(0, 30),
        again=st.none() | st.integers(1, 3),
    )
    def call(self, number: int, name: str, step: int | None, again: int | None) -> None:
        """Call, and maybe cancel it at a step."""
        work = OPERATIONS[name].run(self.sessions[number], self.sandbox)
        self.calls.append(self.loop.start(work))
        if step is not None:
            self.loop.cancel_at(self.calls[-1], step, again)
            self.loop.pass_time()

    @rule(
        number=st.integers(0, 1),
        seed=st.integers(0, 99),
        route=st.sampled_from(["batches", "fastest"]),
    )
    def read(self, number: int, seed: int, route: Any) -> None:
        rng = random.Random(seed)  # noqa: S311 - protects nothing
        ids = rng.choices(self.sandbox.extension_ids, k=35)
        self.calls.append(self.loop.start(self.read_checked(self.sessions[number], ids, route)))

    async def read_checked(self, session: PresenceSession, ids: Sequence[str], route: Any) -> None:
        try:
            outcomes = await session.read_user_presence_statuses(ids, route=route)
        except AuthError:
            return
        assert [each.id for each in outcomes] == [*ids]
        for outcome in outcomes:
            self.check(outcome)

    def check(self, outcome: Outcome[Any]) -> None:
        assert (outcome.value is None) != (outcome.error is None)
        record, own = outcome.value, outcome.id
        if record is not None and record.extension is not None:
            assert record.extension.id == own
            if own in self.sandbox.user_ids[8:]:
                assert record.message == f"of {own}"

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 30), step=st.integers(0, 30), again=st.none() | st.integers(1, 3))
    def cancel(self, number: int, step: int, again: int | None) -> None:
        self.loop.cancel_at(self.calls[number % len(self.calls)], step, again)
        self.loop.pass_time()

    @rule(seconds=st.sampled_from([0.001, 0.5, 2.0, 11.0, 61.0, 400.0]))
    def wait(self, seconds: float) -> None:
        self.loop.pass_time(seconds)

    @rule(step=st.none() | st.integers(0, 20))
    def reopen(self, step: int | None) -> None:
        """Close the second session, maybe with a cancellation, and open it again."""
        if step is not None:
            self.loop.cancel_at(self.loop.start(self.sessions[1].close()), step)
            self.loop.pass_time()
        self.loop.run(self.sessions[1].close())
        self.loop.run(self.sessions[1].__aenter__())

    def teardown(self) -> None:
        if not hasattr(self, "board"):
            return
        self.sandbox.faults.clear()
        self.loop.pass_time(2 * 3600.0)
        for task in self.calls:
            assert task.done(), f"waits forever: {task}"
            if not task.cancelled() and (error := task.exception()) is not None:
                assert isinstance(error, PresenceError | UsageError), repr(error)
        self.check_board()
        self.loop.run(self.board.close())
        self.loop.pass_time(61.0)
        limits = self.loop.call(lambda: self.sessions[0].limits)
        assert [each for each in limits.values() if each.remaining != each.limit] == []
        for session in self.sessions:
            self.loop.run(self.read_all(session))
            self.loop.run(session.close())
        self.loop.run(self.sandbox.close())
        self.loop.pass_time()
        left = self.loop.tasks, self.loop.timers
        self.loop.close()
        assert left == (set(), [])
        assert not self.loop.problems

    def check_board(self) -> None:
        """Check that the board is live, and shows what the server has."""

        def shown() -> tuple[bool, dict[str, Any]]:
            status = {id_: self.board[id_].user_status for id_ in self.board}
            return self.board.is_live, status

        is_live, status = self.loop.call(shown)
        assert is_live
        for id_ in self.sandbox.user_ids:
            assert status[id_] == self.sandbox.presence(id_)["userStatus"]


TestEverything: Any = Everything.TestCase
TestEverything.settings = stories(share=0.16, steps=12)
