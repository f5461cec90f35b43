"""Polling on real sockets, in virtual time: what it reads, how often, and what it tells."""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from aiopresence import (
    AuthError,
    ChangeSource,
    PermissionDenied,
    PresenceChange,
    PresenceSession,
    UsageError,
    UserStatus,
)
from aiopresence.protocol.rate_limit_groups import RateLimits
from aiopresence.sandbox import Answer, Change, Sandbox
from aiopresence.transport.clock import Clock
from tests.support.virtual import run, virtual, virtual_sandbox, virtual_session

HOUR = 3600.0
# RingCentral's.
PLAN = {"Light": 50, "Medium": 40, "Heavy": 10, "Auth": 5}
Polled = AsyncGenerator[PresenceChange, None]


def arrivals(sandbox: Sandbox, group: str | None = None) -> list[float]:
    groups = ("Light", "Heavy") if group is None else (group,)
    return [r.arrival for r in sandbox.requests if r.group in groups]


def refused(sandbox: Sandbox) -> int:
    return sum(request.status == 429 for request in sandbox.requests)


def now() -> float:
    return asyncio.get_running_loop().time()


async def take(polled: Polled, count: int) -> list[PresenceChange]:
    async with asyncio.timeout(HOUR):
        return [await anext(polled) for _ in range(count)]


class Following:
    """Polls in the background, for as long as it is entered."""

    def __init__(self, polled: Polled) -> None:
        self.changes: list[PresenceChange] = []
        self._polled = polled

    async def __aenter__(self) -> "Following":
        self._task = asyncio.create_task(self._follow())
        return self

    async def _follow(self) -> None:
        async with aclosing(self._polled) as changes:
            async for change in changes:
                self.changes.append(change)

    async def __aexit__(self, *_: object) -> None:
        assert not self._task.done()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.changes.clear()

    def taken(self) -> list[PresenceChange]:
        taken, self.changes = self.changes, []
        return taken


def without(*ids: str) -> Any:
    """Leave extensions out of the pages of the account."""

    def change(body: bytes) -> bytes:
        page = json.loads(body)
        page["records"] = [r for r in page["records"] if str(r["extension"]["id"]) not in ids]
        return json.dumps(page).encode()

    return Change(change)


def sized(total: int) -> Any:
    def change(body: bytes) -> bytes:
        page = json.loads(body)
        page["paging"]["totalElements"] = total
        return json.dumps(page).encode()

    return Change(change)


@virtual
async def test_the_first_round_yields_everything_and_later_ones_the_changes() -> None:
    async with virtual_sandbox(limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        who = sandbox.user_ids[1]
        sandbox.set_presence(who, user_status="Available", allow_see_my_presence=True)
        async with aclosing(session.poll(interval=timedelta(seconds=5))) as polled:
            first = await take(polled, 20)
            assert {each.id for each in first} == set(sandbox.extension_ids)
            assert {each.old for each in first} == {None}
            assert {each.source for each in first} == {ChangeSource.ACCOUNT}
            before = next(each.new for each in first if each.id == who)
            waiting = asyncio.ensure_future(anext(polled))
            await asyncio.sleep(60)
            assert not waiting.done()
            sandbox.set_presence(who, user_status="Busy", message="Back at 3")
            change = await waiting
            assert (change.id, change.old) == (who, before)
            assert change.new is not None
            assert (change.new.user_status, change.new.message) == (UserStatus.BUSY, "Back at 3")
            assert change.time.timestamp() == pytest.approx(Clock().wall(), abs=1)


@virtual
async def test_calls_are_read_if_requested() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        me = sandbox.user_ids[0]
        sandbox.ring(me)
        for options in ({"detailed_telephony_state": True}, {"sip_data": True}):
            async with aclosing(session.poll([me], **options)) as polled:
                [first] = await take(polled, 1)
                assert first.new is not None
                [*_, call] = first.new.active_calls or ()
                assert (call.sip_data is not None) is ("sip_data" in options)


@virtual
async def test_an_interval_is_from_the_start_of_a_round_to_the_start_of_the_next() -> None:
    async with virtual_sandbox(latency=2.0) as sandbox, virtual_session(sandbox) as session:
        async with Following(session.poll(sandbox.user_ids[:3], interval=30)):
            await asyncio.sleep(1000)
        _, *times = arrivals(sandbox)  # Before the first one it had to log in.
        assert len(times) == 33
        apart = [b - a for a, b in itertools.pairwise(times)]
        assert apart == [pytest.approx(30, abs=0.1)] * 32


@pytest.mark.parametrize(
    ("extensions", "count", "group", "rounds"),
    [
        # One batch is 1.2 s, the list of the account in every second round 6 s.
        (20, None, "Light", 600),
        (20, None, "Heavy", 600),
        # Four batches are 4.8 s, a page is 6 s.
        (200, 120, "Light", 750),
        (200, None, "Heavy", 600),
    ],
)
def test_without_an_interval_rounds_are_as_frequent_as_the_limits_sustain(
    extensions: int, count: int | None, group: str, rounds: int
) -> None:
    hours = 0.025  # One is the same forty times, but slow to try.

    async def story() -> None:
        async with virtual_sandbox(extensions, limits=PLAN) as sandbox:
            ids = None if count is None else sandbox.extension_ids[:count]
            async with virtual_session(sandbox) as session, Following(session.poll(ids)):
                await asyncio.sleep(hours * HOUR)
            each = 1 if group == "Heavy" else -(-(count or extensions) // 30)
            # Whatever the first window allows at once is no matter of speed.
            done = len(arrivals(sandbox, group)) / each
            assert 0.9 * rounds * hours <= done <= 1.1 * rounds * hours
            assert refused(sandbox) == 0

    run(story)


@virtual
async def test_an_hour_of_polling_has_no_429() -> None:
    # So few requests that an hour is soon over.
    limits = {"Light": 1, "Heavy": 2, "Auth": 5}
    async with virtual_sandbox(30, limits=limits) as sandbox:
        async with virtual_session(sandbox, limits=limits) as session, Following(session.poll()):
            await asyncio.sleep(HOUR)
        assert refused(sandbox) == 0
        assert 0.9 * 120 <= len(arrivals(sandbox)) <= 1.1 * 120


@pytest.mark.parametrize(
    ("limits", "source"),
    [
        ({}, ChangeSource.ACCOUNT),
        ({"Light": 500}, ChangeSource.BATCH),
        ({"Light": 10, "Heavy": 1}, ChangeSource.BATCH),
        ({"Light": 50, "Heavy": 100}, ChangeSource.ACCOUNT),
    ],
)
def test_the_limits_decide_between_batches_and_pages(
    limits: dict[str, int], source: ChangeSource
) -> None:
    async def story() -> None:
        async with virtual_sandbox(200, limits={**PLAN, **limits}) as sandbox:
            async with virtual_session(sandbox, limits=limits) as session:
                # Limits are known of groups that have been in use.
                await session.read_user_presence_status("~")
                await session.read_account_presence(per_page=1)
                async with aclosing(session.poll(sandbox.extension_ids, interval=600)) as polled:
                    changes = await take(polled, 200)
            assert {change.source for change in changes} == {source}
            assert refused(sandbox) == 0

    run(story)


@virtual
async def test_ids_of_an_account_that_is_huge_are_read_in_batches() -> None:
    async with virtual_sandbox(200, limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        asked = sandbox.faults.add(sized(200_000), path="perPage=1&", times=None)
        alone = sandbox.faults.add(sized(200_000), path="perPage=1", times=1)
        async with Following(session.poll(sandbox.extension_ids, interval=60)) as following:
            await asyncio.sleep(600)
            assert asked.fired + alone.fired == 1
            assert {each.source for each in following.taken()} == {ChangeSource.BATCH}
        assert len(arrivals(sandbox, "Heavy")) == 1
        assert len(arrivals(sandbox, "Light")) == 70


@virtual
async def test_ids_of_a_small_account_are_read_by_pages() -> None:
    async with virtual_sandbox(200, limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        ids = sandbox.extension_ids[10:190]
        async with Following(session.poll(ids, interval=60)) as following:
            await asyncio.sleep(599)
            changes = following.taken()
            assert {each.source for each in changes} == {ChangeSource.ACCOUNT}
            assert {each.id for each in changes} == set(ids)
        assert len(arrivals(sandbox, "Heavy")) == 11  # The size, and ten rounds.
        assert not arrivals(sandbox, "Light")


@virtual
async def test_ids_that_no_page_has_are_read_in_a_batch() -> None:
    async with virtual_sandbox(200, limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        hidden = sandbox.user_ids[50]
        sandbox.faults.add(without(hidden), path="account/~/presence", times=None)
        async with aclosing(session.poll(sandbox.extension_ids, interval=60)) as polled:
            changes = {change.id: change.source for change in await take(polled, 200)}
        assert changes.pop(hidden) is ChangeSource.BATCH
        assert set(changes.values()) == {ChangeSource.ACCOUNT}


@virtual
async def test_ids_are_read_in_batches_without_permission_to_read_the_account() -> None:
    async with virtual_sandbox(200, limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        denied = sandbox.faults.add(
            Answer.error(403, "CMN-401"), path="account/~/presence", times=None
        )
        async with aclosing(session.poll(sandbox.extension_ids, interval=60)) as polled:
            changes = await take(polled, 200)
        assert {change.source for change in changes} == {ChangeSource.BATCH}
        assert denied.fired == 1


@virtual
async def test_a_new_extension_is_reported_within_two_rounds() -> None:
    async with virtual_sandbox(limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        new = sandbox.user_ids[4]
        missing = sandbox.faults.add(without(new), path="account/~/presence")
        async with Following(session.poll(interval=60)) as following:
            await asyncio.sleep(59)
            assert missing.fired == 1
            assert new not in {change.id for change in following.taken()}
            await asyncio.sleep(2 * 60)
            [change] = following.taken()
            assert (change.id, change.old, change.source) == (new, None, ChangeSource.ACCOUNT)
            await asyncio.sleep(HOUR)
        assert len(arrivals(sandbox, "Heavy")) == pytest.approx(32, abs=2)


@pytest.mark.parametrize("everybody", [True, False])
def test_a_deleted_extension_is_a_change_to_none(everybody: bool) -> None:
    async def story() -> None:
        async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
            gone = sandbox.user_ids[3]
            ids = None if everybody else sandbox.user_ids
            async with Following(session.poll(ids, interval=60)) as following:
                await asyncio.sleep(1)
                before = next(each.new for each in following.taken() if each.id == gone)
                extensions = sandbox._state.account.extensions
                extension = extensions.pop(gone)
                await asyncio.sleep(300)
                [change] = following.taken()
                assert (change.id, change.old, change.new) == (gone, before, None)
                extensions[gone] = extension
                await asyncio.sleep(HOUR)
                assert [(each.id, each.old) for each in following.taken()] == [(gone, None)]

    run(story)


@virtual
async def test_a_service_that_is_down_is_waited_for() -> None:
    async with virtual_sandbox(limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        who = sandbox.user_ids[0]
        sandbox.set_presence(who, user_status="Available")
        async with Following(session.poll(interval=10)) as following:
            await asyncio.sleep(15)
            following.taken()
            down = sandbox.faults.add(Answer(503), path="presence", times=None)
            sandbox.set_presence(who, user_status="Busy")
            await asyncio.sleep(600)
            assert following.taken() == []
            # Waits grow up to two minutes; each round tries four times.
            assert 4 * 4 < down.fired < 4 * 12
            sandbox.faults.clear()
            await asyncio.sleep(130)
            assert [change.id for change in following.taken()] == [who]
            before = len(arrivals(sandbox))
            await asyncio.sleep(100)
            assert len(arrivals(sandbox)) == before + 10
        assert refused(sandbox) == 0


@virtual
async def test_polling_without_permission_raises_the_error() -> None:
    async with virtual_sandbox(200, limits=PLAN) as sandbox, virtual_session(sandbox) as session:
        sandbox.forbid("ReadPresence")
        for ids in (None, sandbox.extension_ids[:3], sandbox.extension_ids):
            async with aclosing(session.poll(ids)) as polled:
                with pytest.raises(PermissionDenied):
                    await anext(polled)


@virtual
async def test_a_revoked_permission_is_raised_and_removes_no_extension() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        ids = sandbox.user_ids[:3]
        async with aclosing(session.poll(ids)) as polled:
            await take(polled, 3)
            sandbox.forbid("ReadPresence")
            with pytest.raises(PermissionDenied):
                await anext(polled)


@virtual
async def test_a_revoked_login_is_raised() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as session,
        aclosing(session.poll()) as polled,
    ):
        await take(polled, 20)
        sandbox.faults.add(Answer.error(400, "invalid_grant"), path="oauth/token", times=None)
        sandbox.expire_tokens()
        with pytest.raises(AuthError):
            await anext(polled)


@virtual
async def test_closing_the_session_ends_the_poll() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as session,
        aclosing(session.poll()) as polled,
    ):
        await take(polled, 20)
        await session.close()
        with pytest.raises(UsageError):
            await anext(polled)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"extension_ids": []}, "empty"),
        ({"extension_ids": "123"}, "iterable"),
        ({"extension_ids": ["~"]}, "digits"),
        ({"interval": 0}, "interval"),
        ({"interval": -1.0}, "interval"),
        ({"interval": float("nan")}, "interval"),
        ({"interval": "1"}, "interval"),
        ({"detailed_telephony_state": None}, "detailed_telephony_state"),
        ({"sip_data": 1}, "sip_data"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    async def story() -> None:
        async with virtual_sandbox(1) as sandbox, virtual_session(sandbox) as session:
            with pytest.raises(UsageError, match=message):
                session.poll(**arguments)
            assert not sandbox.requests

    run(story)


@pytest.mark.parametrize("ids", [None, 120])
def test_an_abandoned_poll_leaves_no_task(ids: int | None) -> None:
    async def story() -> None:
        async with (
            virtual_sandbox(120, page_limit=10, latency=1.0) as sandbox,
            virtual_session(sandbox, concurrency=2) as session,
        ):
            await session.read_user_presence_status("~")
            for taken in (1, 15, 35, 119):
                polled = session.poll(sandbox.extension_ids[:ids] if ids else None)
                await take(polled, taken)
                await asyncio.sleep(0.5)  # More is on its way.
                await polled.aclose()
                assert under_way(session) == 0

    run(story)


def under_way(session: PresenceSession) -> int:
    limits = session._limiter._limits
    assert isinstance(limits, RateLimits)
    return sum(group.in_flight for group in limits._groups.by_name.values())


@virtual
async def test_cancellation_at_any_moment_leaves_no_task() -> None:
    async with virtual_sandbox(40, page_limit=20) as sandbox, virtual_session(sandbox) as session:
        await session.read_user_presence_status("~")
        for turns in range(0, 120, 7):

            async def use() -> None:
                async with aclosing(session.poll(interval=1)) as polled:
                    async for _ in polled:
                        pass

            using = asyncio.create_task(use())
            for _ in range(turns):
                await asyncio.sleep(0)
            using.cancel()
            with pytest.raises(asyncio.CancelledError):
                await using
            assert under_way(session) == 0


@pytest.mark.parametrize("ids", [None, 60])
def test_polling_waits_for_limits_that_others_use_up(ids: int | None) -> None:
    async def story() -> None:
        async with (
            virtual_sandbox(200, limits=PLAN) as sandbox,
            virtual_session(sandbox) as session,
        ):
            await session.read_user_presence_status("~")
            await session.read_account_presence(per_page=1)
            polled = session.poll(sandbox.extension_ids[:ids] if ids else None, interval=5)
            async with Following(polled) as following:
                for _ in range(3):
                    # Somebody else, who leaves what may be under way before that is known.
                    for group, spare in (("Light", 10), ("Heavy", 4)):
                        if (left := _left(sandbox, group)) > spare:
                            sandbox.consume(group, left - spare)
                    await asyncio.sleep(61)
                assert len({change.id for change in following.taken()}) == (ids or 200)
            assert refused(sandbox) == 0

    run(story)


def _left(sandbox: Sandbox, group: str) -> int:
    recent = [at for at in arrivals(sandbox, group) if at > now() - 60]
    return PLAN[group] - len(recent)


@virtual
async def test_presets_apply_before_the_first_response() -> None:
    async with (
        virtual_sandbox(200, limits={"Light": 5000, "Heavy": 10}) as sandbox,
        virtual_session(sandbox, limits={"Light": 5000}) as session,
        aclosing(session.poll(interval=5)) as changes,
    ):
        for _ in range(200):
            await anext(changes)
        changing = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(60)
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)
        # Every second round is in batches.
        assert sum(r.group == "Light" for r in sandbox.requests) > 7 * 5


@virtual
async def test_a_poll_continues_after_a_refused_batch() -> None:
    async with virtual_sandbox(5) as sandbox, virtual_session(sandbox) as session:
        polled = session.poll(sandbox.user_ids, interval=60)
        gone = [(await anext(polled)).new is None for _ in sandbox.user_ids]
        refused = sandbox.faults.add(Answer(404), path=",")
        waiting = asyncio.ensure_future(anext(polled))
        while not refused.fired:
            await asyncio.sleep(1)
        await asyncio.sleep(200)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert not any(gone)
