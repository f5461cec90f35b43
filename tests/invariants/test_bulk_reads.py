"""Every id is answered exactly once, in order, by its own record or by an error.

That holds whatever is missing, permuted, doubled, foreign or cut in responses of either format,
with retries, smaller batches, rejected tokens and 429s, by every route, for lists, iterators and
updates. And when the server is well again, every id has its record.
"""

import random
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from aiopresence import AuthError, NotFound, Outcome, PresenceError, PresenceSession
from aiopresence.sandbox import Answer, Change, Delay, Fault, Received, Reset, Slice, Truncate
from tests.support.mangling import FOREIGN, KINDS, mangled
from tests.support.private_loop import PrivateLoop, stories
from tests.support.virtual import virtual_sandbox, virtual_session

EXTENSIONS = 80
UNKNOWN = ("7", "999999999999")
FAULTS: dict[str, Fault] = {
    "busy": Answer.error(503, "CMN-211"),
    "busy later": Answer.error(503, "CMN-211", headers={"Retry-After": "3"}),
    "429": Answer.error(429, "CMN-301", headers={"Retry-After": "7"}),
    "bare 429": Answer(429, bare=True),
    "401": Answer.error(401, "OAU-213"),
    "too many": Answer.error(400, "InvalidMultipartRequest"),
    "not found": Answer.error(404, "CMN-102", parameter_name="extensionId"),
    "forbidden": Answer.error(403, "CMN-408"),
    "reset": Reset(),
    "reset later": Reset(after_handling=True),
    "cut": Truncate(700),
    "cut at the end": Truncate(1400, declared=False),
    "slow": Delay(12.0),
    "lost": Delay(40.0),
    "sliced": Slice(),
    "other status": Change(status=200),
}


def is_page(received: Received) -> bool:
    return received.path.endswith("/account/~/presence")


class BulkReads(RuleBasedStateMachine):
    """One sandbox whose extensions have their ids as messages, and sessions that read them."""

    @initialize(
        seed=st.none() | st.integers(0, 99),
        hrefs=st.booleans(),
        limit=st.sampled_from([30, 30, 10, 7, 1]),
        page_limit=st.sampled_from([1000, 30]),
        line_ending=st.sampled_from(["\r\n", "\n"]),
        totals=st.booleans(),
    )
    def begin(
        self,
        seed: int | None,
        hrefs: bool,
        limit: int,
        page_limit: int,
        line_ending: str,
        totals: bool,
    ) -> None:
        self.loop = PrivateLoop(seed)
        self.sandbox = virtual_sandbox(
            EXTENSIONS,
            hrefs=hrefs,
            batch_limit=limit,
            page_limit=page_limit,
            line_ending=line_ending,
            paging_totals=totals,
        )
        self.loop.run(self.sandbox.start())
        self.own = self.sandbox.user_ids[0]
        for id_ in self.sandbox.user_ids:
            self.loop.call(partial(self.sandbox.set_presence, id_, message=f"of {id_}"))
        self.sessions = {
            name: virtual_session(self.sandbox, batch_format=name, timeout=30.0)
            for name in ("multipart", "json")
        }
        for session in self.sessions.values():
            self.loop.run(session.__aenter__())

    def ids(self, seed: int, size: int) -> list[str]:
        rng = random.Random(seed)  # noqa: S311 - protects nothing
        known = [*self.sandbox.extension_ids]
        ids = rng.sample(known, min(size, len(known)))
        return [*ids, *rng.choices([*ids, *UNKNOWN, "~"], k=seed % 4)]

    @rule(
        kind=st.sampled_from(KINDS),
        place=st.integers(0, 40),
        times=st.integers(1, 3),
        skip=st.integers(0, 3),
    )
    def mangle_responses(self, kind: str, place: int, times: int, skip: int) -> None:
        change = Change(lambda body: mangled(body, kind, place) if body else body)
        self.sandbox.faults.add(
            change,
            path="/presence",
            times=times,
            skip=skip,
            when=lambda received: not is_page(received) and received.method == "GET",
        )

    @rule(
        name=st.sampled_from([*FAULTS]),
        path=st.sampled_from(["/extension/", "/account/~/presence", "/presence", "/oauth/token"]),
        times=st.integers(1, 5),
        skip=st.integers(0, 3),
    )
    def fail(self, name: str, path: str, times: int, skip: int) -> None:
        self.sandbox.faults.add(FAULTS[name], path=path, times=times, skip=skip)

    @rule(kind=st.sampled_from(["drop", "double", "rename"]), place=st.integers(0, 40))
    def mangle_updates(self, kind: str, place: int) -> None:
        foreign = b'{"extension": {"id": "12345"}, "message": "of nobody here"}'
        body = foreign if kind == "rename" else b"{" * place
        self.sandbox.faults.add(Change(lambda _: body), method="PUT", times=2)

    @rule()
    def expire(self) -> None:
        self.sandbox.expire_tokens()

    @rule(
        seed=st.integers(0, 999),
        size=st.sampled_from([1, 2, 29, 30, 31, 59, 60, 61, 80]),
        name=st.sampled_from(["multipart", "json"]),
        route=st.sampled_from(["batches", "account", "fastest"]),
        is_list=st.booleans(),
    )
    def read(self, seed: int, size: int, name: str, route: Any, is_list: bool) -> None:
        ids = self.ids(seed, size)
        read = self.read_list if is_list else self.read_items
        self.check(ids, self.loop.run(read(self.sessions[name], ids, route)))

    @rule(
        kind=st.sampled_from(KINDS),
        place=st.integers(0, 40),
        seed=st.integers(0, 999),
        name=st.sampled_from(["multipart", "json"]),
    )
    def read_mangled(self, kind: str, place: int, seed: int, name: str) -> None:
        """Read a batch that is wrong in one way, and in nothing else."""
        self.sandbox.faults.clear()
        self.mangle_responses(kind, place, times=1, skip=0)
        ids = self.ids(4 * seed, 6)  # all known
        self.check(ids, self.loop.run(self.read_list(self.sessions[name], ids, "batches")))

    @rule(seed=st.integers(0, 999), size=st.sampled_from([2, 30, 61]), is_list=st.booleans())
    def read_two_at_once(self, seed: int, size: int, is_list: bool) -> None:
        one, two = self.ids(seed, size), self.ids(seed + 1, size)
        read = self.read_list if is_list else self.read_items
        first = self.loop.start(read(self.sessions["json"], one, "batches"))
        self.check(two, self.loop.run(read(self.sessions["multipart"], two, "fastest")))
        self.loop.pass_time(1e5)
        self.check(one, first.result())

    @rule(seed=st.integers(0, 999), size=st.sampled_from([1, 5, 20]))
    def update(self, seed: int, size: int) -> None:
        ids = [id_ for id_ in dict.fromkeys(self.ids(seed, size)) if id_ not in {"~", self.own}]
        self.check(ids, self.loop.run(self.write(self.sessions["json"], ids)), is_update=True)

    async def read_list(
        self, session: PresenceSession, ids: Sequence[str], route: Any
    ) -> list[Outcome[Any]] | None:
        try:
            return [*await session.read_user_presence_statuses(ids, route=route)]
        except AuthError:
            return None  # The credentials were refused: there are no outcomes.

    async def read_items(
        self, session: PresenceSession, ids: Sequence[str], route: Any
    ) -> list[Outcome[Any]] | None:
        found: list[Outcome[Any]] = []
        try:
            async with aclosing(session.iter_user_presence_statuses(ids, route=route)) as items:
                async for outcome in items:
                    found.append(outcome)  # noqa: PERF401 - what comes before an error counts
        except AuthError:
            assert [each.id for each in found] == [*ids[: len(found)]]
            return None
        return found

    async def write(
        self, session: PresenceSession, ids: Sequence[str]
    ) -> list[Outcome[Any]] | None:
        changes = {id_: {"message": f"of {id_}"} for id_ in ids}
        try:
            return [*await session.update_user_presence_statuses(changes)]
        except AuthError:
            return None

    def check(
        self, ids: Sequence[str], outcomes: list[Outcome[Any]] | None, *, is_update: bool = False
    ) -> None:
        if outcomes is None:
            return
        assert [each.id for each in outcomes] == [*ids]
        for outcome in outcomes:
            assert (outcome.value is None) != (outcome.error is None)
            if outcome.value is not None:
                self.check_record(outcome.id, outcome.value)
            else:
                assert isinstance(outcome.error, PresenceError)

    def check_record(self, id_: str, record: Any) -> None:
        if id_ == "~" and record.extension and record.extension.id == FOREIGN:
            return  # Nobody knows in advance which id it has.
        own = self.own if id_ == "~" else id_
        assert record.extension is None or record.extension.id in (own, None)
        if own in self.sandbox.user_ids:
            # A part without anything in it is proven by the summary, or by the request.
            expected = (f"of {own}",) if record.extension else (f"of {own}", None)
            assert record.message in expected, f"{record.message!r} is the answer for {own}"

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        self.sandbox.faults.clear()
        self.loop.pass_time(2 * 86_400.0)
        ids = [*self.sandbox.extension_ids, *UNKNOWN, "~"]
        for session in self.sessions.values():
            outcomes = self.loop.run(self.read_list(session, ids, "batches"))
            assert outcomes is not None
            self.check(ids, outcomes)
            assert [each.id for each in outcomes if isinstance(each.error, NotFound)] == [*UNKNOWN]
            assert [each.id for each in outcomes if each.value is None] == [*UNKNOWN]
            self.loop.run(session.close())
        self.loop.run(self.sandbox.close())
        self.loop.close()
        assert not self.loop.problems


TestBulkReads: Any = BulkReads.TestCase
TestBulkReads.settings = stories(share=0.4, steps=12)
