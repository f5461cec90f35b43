"""Retries, asserted on what the server received."""

import asyncio
import json
from typing import Any

import pytest

from aiopresence import (
    ConnectionFailed,
    DecodeError,
    InvalidRequest,
    NotFound,
    PresenceError,
    PresenceSession,
    ServerError,
    Timeout,
    UsageError,
)
from aiopresence.sandbox import Answer, Change, Hang, Raw, Reset, Sandbox, Truncate
from tests.support.clocks import SkippingClock
from tests.support.sessions import PLENTY, Session
from tests.support.virtual import virtual, virtual_sandbox, virtual_session
from tests.support.waiting import fired

LIGHT_429 = {"X-Rate-Limit-Group": "light", "Retry-After": "45"}


def reads(sandbox: Sandbox) -> int:
    return sum(r.group == "Light" for r in sandbox.requests)


@pytest.mark.fault
@pytest.mark.parametrize(
    "fault",
    [
        Answer(500),
        Answer(502, b"<html>"),
        Answer(503, headers={"Retry-After": "11"}),
        Answer(504),
        Answer(520),
        Reset(),
        Raw(b""),
        Raw(b"garbage\r\n\r\n"),
        Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"),
        Truncate(20),
    ],
)
async def test_a_read_is_tried_again(sandbox: Sandbox, patient: Session, fault: Any) -> None:
    rule = sandbox.faults.add(fault, path="/presence", times=3)
    assert (await patient.read_user_presence_status()).extension is not None
    assert rule.fired == 3
    assert 1 <= patient.stats.retries <= 3
    asked = 11.0 if isinstance(fault, Answer) and fault.status == 503 else 1.0
    assert all(wait >= asked for wait in patient.clock.waits)


@pytest.mark.fault
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_no_read_arrives_again_earlier_than_retry_after(status: int) -> None:
    clock = SkippingClock()
    async with (
        Sandbox(limits=PLENTY, clock=clock.now) as sandbox,
        Session(sandbox.grant, server=sandbox.url, clock=clock) as session,
    ):
        fault = Answer(status, headers={"Retry-After": "11"})
        rule = sandbox.faults.add(fault, path="/presence", times=2)
        await session.read_user_presence_status()
        assert rule.fired == 2
        first, second, third = (r.arrival for r in sandbox.requests if r.group == "Light")
        assert second - first >= 11.0
        assert third - second >= 11.0


@pytest.mark.fault
@virtual
async def test_every_attempt_that_the_server_may_have_counted_uses_a_slot() -> None:
    limits = {**PLENTY, "Light": 3}
    async with virtual_sandbox(limits=limits) as sandbox, virtual_session(sandbox) as session:
        await session.read_user_presence_status()
        rule = sandbox.faults.add(Reset(), path="/presence", times=2)
        await session.read_user_presence_status()
        assert rule.fired == 2
        first, *_, fourth = (r.arrival for r in sandbox.requests if r.group == "Light")
        assert fourth - first >= 60.0
        assert sandbox.counters.rate_limited == 0


@pytest.mark.fault
@virtual
async def test_requests_that_were_cancelled_under_way_use_their_slots() -> None:
    limits = {**PLENTY, "Light": 5}
    async with virtual_sandbox(limits=limits) as sandbox, virtual_session(sandbox) as session:
        await session.read_user_presence_status()
        rule = sandbox.faults.add(Hang(), path="/presence", times=4)
        tasks = [asyncio.create_task(session.read_user_presence_status()) for _ in range(4)]
        await fired(rule, 4)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(session.read_user_presence_status() for _ in range(11)))
        assert sandbox.counters.rate_limited == 0
        arrivals = [r.arrival for r in sandbox.requests if r.group == "Light"]
        assert len(arrivals) == 16
        assert all(later - one >= 60.0 for one, later in zip(arrivals, arrivals[5:], strict=False))


@pytest.mark.fault
@pytest.mark.parametrize("status", [408, 425])
async def test_a_read_that_the_server_did_not_wait_for_is_tried_again_once(
    sandbox: Sandbox, patient: Session, status: int
) -> None:
    rule = sandbox.faults.add(Answer(status), path="/presence")
    assert (await patient.read_user_presence_status()).extension is not None
    assert (rule.fired, reads(sandbox)) == (1, 2)


@pytest.mark.fault
async def test_an_error_of_a_whole_batch_is_final_for_all_its_ids(
    sandbox: Sandbox, patient: Session
) -> None:
    error = Answer.error(404, "CMN-102", "No such account", "accountId")
    rule = sandbox.faults.add(error, path=",", times=None)
    result = await patient.read_user_presence_statuses(sandbox.extension_ids[:30])
    assert {type(error) for error in result.errors.values()} == {NotFound}
    assert len(result.errors) == 30
    assert (rule.fired, reads(sandbox)) == (1, 1)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("fault", "kind", "times"),
    [
        (Answer(503), ServerError, 4),
        (Answer(501), ServerError, 1),
        (Answer(400), InvalidRequest, 1),
        (Answer(404), NotFound, 1),
        (Answer(408), InvalidRequest, 2),
        (Answer(425), InvalidRequest, 2),
    ],
)
async def test_attempts_end(
    sandbox: Sandbox, patient: Session, fault: Any, kind: type[PresenceError], times: int
) -> None:
    rule = sandbox.faults.add(fault, path="/presence", times=None)
    with pytest.raises(kind):
        await patient.read_user_presence_status()
    assert rule.fired == times


@pytest.mark.fault
@virtual
async def test_a_timeout_is_tried_again() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        await session.read_user_presence_status()
        rule = sandbox.faults.add(Hang(), path="/presence")
        await session.read_user_presence_status()
        assert rule.fired == 1
        sandbox.faults.add(Hang(), path="/presence", times=None)
        with pytest.raises(Timeout):
            await session.read_user_presence_status()


@pytest.mark.fault
async def test_nobody_listens() -> None:
    async with Sandbox() as sandbox:
        server = sandbox.url
    async with Session("token", server=server) as session:
        with pytest.raises(ConnectionFailed) as caught:
            await session.read_user_presence_status()
        assert not caught.value.sent
        assert session.stats.retries == 3
        assert session.limits["Light"].remaining == 50


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (Answer(503, headers={"Retry-After": "2"}), 1),
        (Answer(429, headers=LIGHT_429, bare=True), 1),
    ],
)
async def test_a_write_that_was_not_applied_is_tried_again(
    sandbox: Sandbox, patient: Session, fault: Any, times: int
) -> None:
    rule = sandbox.faults.add(fault, method="PUT", times=times)
    assert (await patient.update_user_presence_status({"message": "x"})).message == "x"
    assert rule.fired == times


@pytest.mark.fault
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Answer(503), ServerError),
        (Answer(500), ServerError),
        (Reset(), ConnectionFailed),
        (Reset(after_handling=True), ConnectionFailed),
        (Truncate(5), ConnectionFailed),
    ],
)
async def test_a_write_that_may_have_been_applied_is_not(
    sandbox: Sandbox, patient: Session, fault: Any, kind: type[PresenceError]
) -> None:
    rule = sandbox.faults.add(fault, method="PUT", times=None)
    with pytest.raises(kind):
        await patient.update_user_presence_status({"message": "x"})
    assert rule.fired == 1
    assert sum(r.method == "PUT" for r in sandbox.requests) == 1


@pytest.mark.fault
async def test_in_a_total_outage_the_load_is_bounded(sandbox: Sandbox) -> None:
    async with Session(sandbox.grant, server=sandbox.url, concurrency=50) as session:
        await session.read_user_presence_status()
        before = reads(sandbox)
        rule = sandbox.faults.add(Answer(503), path="/presence", times=None)
        calls = [session.read_user_presence_status() for _ in range(300)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(result) for result in results} == {ServerError}
        assert rule.fired == reads(sandbox) - before
        assert 300 < rule.fired <= 1.2 * 300


@pytest.mark.fault
@virtual
async def test_in_an_outage_of_ten_minutes_few_requests_are_added_to_the_calls() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        rule = sandbox.faults.add(Answer(503), path="/presence", times=None)
        failures = []
        for _ in range(200):
            call = asyncio.create_task(session.read_user_presence_status())
            failures.append(call)
            await asyncio.sleep(3.0)
        results = await asyncio.gather(*failures, return_exceptions=True)
        assert {type(result) for result in results} == {ServerError}
        assert rule.fired == reads(sandbox)
        assert 200 < rule.fired <= 1.2 * 200
        sandbox.faults.clear()
        assert (await session.read_user_presence_status()).extension is not None


def in_parts(ids: tuple[str, ...], status: int, code: str) -> Change:
    """Let the array form say so of some ids."""

    def change(body: bytes) -> bytes:
        items = json.loads(body)
        for item in items:
            if item["resourceId"] in ids:
                item.update(status=status, body={"errorCode": code})
        return json.dumps(items).encode()

    return Change(change)


@pytest.fixture
async def array(sandbox: Sandbox) -> Any:
    async with Session(sandbox.grant, server=sandbox.url, batch_format="json") as session:
        yield session


@pytest.mark.fault
@pytest.mark.parametrize("status", [500, 503, 429])
async def test_only_what_failed_is_asked_again_and_together(
    sandbox: Sandbox, array: Session, status: int
) -> None:
    ids = sandbox.extension_ids[:90]
    failing = (ids[0], ids[29], ids[30], ids[89])
    rule = sandbox.faults.add(in_parts(failing, status, "CMN-301"), path=",", times=3)
    result = await array.read_user_presence_statuses(ids)
    assert result.errors == {}
    assert rule.fired == 3
    batches = [r.ids for r in sandbox.requests if r.ids]
    assert len(batches) == 4
    assert set(batches[3]) == set(failing)


@pytest.mark.fault
async def test_a_429_in_a_part_shuts_the_group(sandbox: Sandbox, array: Session) -> None:
    ids = sandbox.extension_ids[:3]
    rule = sandbox.faults.add(in_parts(ids[:1], 429, "CMN-301"), path=",")
    await array.read_user_presence_statuses(ids)
    assert rule.fired == 1
    assert sum(array.clock.waits) > 59.0


@pytest.mark.fault
async def test_a_refused_duplicate_in_a_part_shuts_no_group(
    sandbox: Sandbox, array: Session
) -> None:
    ids = sandbox.extension_ids[:3]
    rule = sandbox.faults.add(in_parts(ids[:1], 429, "CMN-304"), path=",")
    result = await array.read_user_presence_statuses(ids)
    assert rule.fired == 1
    assert result.errors == {}
    assert array.clock.skipped < 5.0


async def test_any_number_of_429s_in_parts_is_asked_again() -> None:
    async with Sandbox(600, limits=PLENTY) as large:
        ids = large.extension_ids
        async with Session(large.grant, server=large.url, batch_format="json") as session:
            rule = large.faults.add(in_parts(ids, 429, "CMN-301"), path=",", times=20)
            assert (await session.read_user_presence_statuses(ids)).errors == {}
            assert rule.fired == 20
            assert session.stats.items == 600


@pytest.mark.fault
async def test_what_is_final_is_not_asked_again(sandbox: Sandbox, array: Session) -> None:
    ids = sandbox.extension_ids[:30]
    rule = sandbox.faults.add(in_parts(ids[:2], 403, "CMN-404"), path=",", times=None)
    result = await array.read_user_presence_statuses([*ids, "1"])
    assert len(result.errors) == 3
    assert rule.fired == 1


async def test_what_stays_broken_is_given_up(sandbox: Sandbox, array: Session) -> None:
    ids = sandbox.extension_ids[:3]
    sandbox.faults.add(in_parts(ids[:1], 503, "CMN-201"), path="/presence", times=1)
    rule = sandbox.faults.add(Answer(503), path=f"/{ids[0]}/presence", times=None)
    result = await array.read_user_presence_statuses(ids)
    assert rule.fired == 4
    assert set(result.errors) == {ids[0]}


async def test_a_stream_asks_again_within_its_chunk(sandbox: Sandbox, array: Session) -> None:
    ids = sandbox.extension_ids[:40]
    rule = sandbox.faults.add(in_parts(ids[:2], 503, "CMN-201"), path=",")
    outcomes = [o async for o in array.iter_user_presence_statuses(ids)]
    assert [o.id for o in outcomes] == list(ids)
    assert all(o.ok for o in outcomes)
    assert rule.fired == 1


@pytest.mark.fault
async def test_an_answer_that_makes_no_sense_is_asked_for_once_more(
    sandbox: Sandbox, patient: Session
) -> None:
    ids = sandbox.extension_ids[:3]
    rule = sandbox.faults.add(Change(lambda body: body[:-200]), path=",")
    assert (await patient.read_user_presence_statuses(ids)).errors == {}
    assert rule.fired == 1
    rule = sandbox.faults.add(Change(lambda _: b"?"), path="/presence", times=None)
    result = await patient.read_user_presence_statuses(ids)
    assert all(isinstance(error, DecodeError) for error in result.errors.values())
    assert rule.fired == 2


@pytest.mark.fault
async def test_closing_wakes_whoever_is_about_to_try_again(sandbox: Sandbox) -> None:
    async with PresenceSession(sandbox.grant, server=sandbox.url) as session:
        rule = sandbox.faults.add(Answer(503, headers={"Retry-After": "300"}), path="/presence")
        task = asyncio.create_task(session.read_user_presence_status())
        while session.stats.retries == 0:
            await asyncio.sleep(0)
        assert rule.fired == 1
    with pytest.raises(UsageError, match="not open"):
        await task
