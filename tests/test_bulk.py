import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from aiopresence import (
    AuthError,
    ConnectionFailed,
    DecodeError,
    DndStatus,
    NotFound,
    Outcome,
    PermissionDenied,
    PresenceInfoRequest,
    PresenceSession,
    ServerError,
    UsageError,
)
from aiopresence.bulk import iter_batches
from aiopresence.sandbox import Answer, Change, Hang, Received, Reset, Sandbox
from tests.support.sessions import Session

UNKNOWN = "999999999999"


def batches(sandbox: Sandbox) -> list[tuple[str, ...]]:
    return [r.ids for r in sandbox.requests if r.ids]


def refuse(error: Answer, sandbox: Sandbox, when: Callable[[Received], bool]) -> Any:
    return sandbox.faults.add(error, times=None, when=when)


@pytest.mark.fault
async def test_a_thousand_extensions_take_34_requests() -> None:
    async with Sandbox(1000) as sandbox, Session(
        sandbox.grant, server=sandbox.url
    ) as session:  # fmt: skip
        result = await session.read_user_presence_statuses(sandbox.extension_ids)
        assert [o.id for o in result] == list(sandbox.extension_ids)
        assert len(result.values) == 1000
        assert sorted(map(len, batches(sandbox))) == [10] + [30] * 33
        assert session.stats.requests == 34
        assert session.stats.items == 1000


@pytest.mark.fault
async def test_31_ids_are_a_batch_and_a_plain_record(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    ids = sandbox.extension_ids[:31]
    result = await session.read_user_presence_statuses(ids)
    assert [o.id for o in result] == list(ids)
    assert result.errors == {}
    assert sorted((len(r.ids), r.status) for r in sandbox.requests if r.ids) == [
        (1, 200),
        (30, 207),
    ]


async def test_each_value_is_the_record_of_its_id(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    result = await session.read_user_presence_statuses(sandbox.extension_ids)
    for outcome in result:
        truth = sandbox.presence(outcome.id)
        value = outcome.unwrap()
        assert value.extension is not None
        assert value.extension.id == outcome.id
        assert value.presence_status == truth["presenceStatus"]
        assert value.message == truth.get("message")


@pytest.mark.fault
@pytest.mark.parametrize("batch_format", ["multipart", "json"])
@pytest.mark.parametrize(("line_ending", "hrefs"), [("\r\n", True), ("\n", True), ("\n", False)])
async def test_95_ids_with_duplicates_unknown_ids_and_the_caller(
    batch_format: Any, line_ending: str, hrefs: bool
) -> None:
    async with (
        Sandbox(line_ending=line_ending, hrefs=hrefs) as sandbox,
        Session(sandbox.grant, server=sandbox.url, batch_format=batch_format) as session,
    ):
        ids: list[str | int] = list(sandbox.extension_ids[:80])
        ids[7:7] = [UNKNOWN, "~", int(ids[0]), 5]
        ids[50:50] = ["~", UNKNOWN, *ids[:9]]
        assert len(ids) == 95
        result = await session.read_user_presence_statuses(ids)
        assert [o.id for o in result] == [str(id_) for id_ in ids]
        assert {o.id for o in result if not o.ok} == {UNKNOWN, "5"}
        assert all(isinstance(e, NotFound) for e in result.errors.values())
        caller = result[8].unwrap()
        assert caller.extension is not None
        assert caller.extension.id == sandbox.extension_ids[0]
        sent = [id_ for ids in batches(sandbox) for id_ in ids]
        assert len(sent) == len(set(sent)) == 83
        assert len(batches(sandbox)) == 4


async def test_parameters_reach_every_batch(sandbox: Sandbox, session: PresenceSession) -> None:
    await session.read_user_presence_statuses(
        [*sandbox.extension_ids[:40], "~"],
        account_id=sandbox.account_id,
        detailed_telephony_state=True,
        sip_data=False,
    )
    sent = sandbox.requests[1:]
    assert {r.query for r in sent} == {"detailedTelephonyState=true&sipData=false"}
    assert all(f"/account/{sandbox.account_id}/" in r.path for r in sent)
    assert len(sent) == 3


async def test_the_sessions_account_is_the_default(sandbox: Sandbox) -> None:
    async with Session(
        sandbox.grant, server=sandbox.url, account_id=int(sandbox.account_id)
    ) as session:
        await session.read_user_presence_statuses(sandbox.extension_ids[:2])
        assert f"/account/{sandbox.account_id}/" in sandbox.requests[-1].path
        await session.read_user_presence_statuses(sandbox.extension_ids[:2], account_id="~")
        assert "/account/~/" in sandbox.requests[-1].path


async def test_no_ids_no_requests(sandbox: Sandbox, session: PresenceSession) -> None:
    assert list(await session.read_user_presence_statuses([])) == []
    assert list(await session.update_user_presence_statuses({})) == []
    assert sandbox.requests == []


@pytest.mark.parametrize(
    "ids", ["101", b"101", 101, None, ["1", "x"], ["1,2"], [True], [1.0], [-1], [["1"]], ["1/../2"]]
)
async def test_wrong_ids_are_refused_before_anything_is_sent(
    sandbox: Sandbox, session: PresenceSession, ids: Any
) -> None:
    with pytest.raises(UsageError):
        await session.read_user_presence_statuses(ids)
    with pytest.raises(UsageError):
        await session.read_unified_presences(ids)
    assert sandbox.requests == []


async def test_only_iter_calls_accept_async_iterables(session: PresenceSession) -> None:
    async def ids() -> AsyncIterator[str]:
        yield "1"

    with pytest.raises(UsageError, match="iter_"):
        await session.read_user_presence_statuses(ids())  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", [{"sip_data": "yes"}, {"account_id": "x"}])
def test_wrong_arguments_of_an_iteration_are_refused_at_once(arguments: dict[str, Any]) -> None:
    session = PresenceSession("token")
    with pytest.raises(UsageError):
        session.iter_user_presence_statuses(["1"], **arguments)
    with pytest.raises(UsageError):
        session.iter_user_presence_statuses("101")
    with pytest.raises(UsageError):
        session.iter_unified_presences(["1"], account_id="x")
    with pytest.raises(UsageError):
        session.iter_account_presence(per_page=0)


# Requests that the server refuses.


async def test_a_batch_refused_for_one_id_is_split_until_the_others_have_values(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    bad = sandbox.extension_ids[17]
    error = Answer.error(404, "CMN-102", "Gone", "extensionId")
    rule = refuse(error, sandbox, lambda r: bad in r.ids)
    result = await session.read_user_presence_statuses(sandbox.extension_ids[:60])
    assert set(result.errors) == {bad}
    assert isinstance(result.errors[bad], NotFound)
    assert rule.fired == 6  # 30, 15, 8, 4, 2, 1
    assert len(batches(sandbox)) == 2 + 2 * 5


async def test_a_batch_refused_as_a_duplicate_is_split(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    two = set(sandbox.extension_ids[:2])
    rule = refuse(Answer.error(400, "CMN-406", "Twice"), sandbox, lambda r: two <= set(r.ids))
    result = await session.read_user_presence_statuses(sandbox.extension_ids[:30])
    assert result.errors == {}
    assert rule.fired == 5


@pytest.mark.fault
@pytest.mark.parametrize("code", ["InvalidMultipartRequest", "CMN-106"])
async def test_a_smaller_batch_size_is_learned_and_kept(
    sandbox: Sandbox, session: PresenceSession, code: str
) -> None:
    rule = refuse(Answer.error(400, code, "Too many"), sandbox, lambda r: len(r.ids) > 10)
    assert (await session.read_user_presence_statuses(sandbox.extension_ids)).errors == {}
    fired = rule.fired
    assert fired > 0
    before = len(batches(sandbox))
    assert (await session.read_user_presence_statuses(sandbox.extension_ids)).errors == {}
    assert rule.fired == fired
    assert max(map(len, batches(sandbox)[before:])) == 8
    assert len(batches(sandbox)) - before == 13


async def test_a_size_error_caused_by_one_id_does_not_change_the_batch_size(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    bad = sandbox.extension_ids[17]
    rule = refuse(Answer.error(400, "CMN-106", "Too many"), sandbox, lambda r: bad in r.ids)
    result = await session.read_user_presence_statuses(sandbox.extension_ids[:30])
    assert set(result.errors) == {bad}
    assert rule.fired > 1
    before = len(batches(sandbox))
    await session.read_user_presence_statuses(sandbox.extension_ids[30:90])
    assert len(batches(sandbox)) - before == 2


async def test_a_size_error_of_a_small_batch_does_not_change_the_batch_size(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    rule = sandbox.faults.add(Answer.error(400, "CMN-106", "Too many"), path=",")
    assert (await session.read_user_presence_statuses(sandbox.extension_ids[:2])).errors == {}
    assert rule.fired == 1
    before = len(batches(sandbox))
    await session.read_user_presence_statuses(sandbox.extension_ids[:60])
    assert len(batches(sandbox)) - before == 2


@pytest.mark.fault
@pytest.mark.parametrize(
    "error",
    [
        Answer.error(404, "CMN-102", "No such account", "accountId"),
        Answer.error(403, "CMN-404", "Not allowed"),
        Answer.error(400, "CMN-101", "Bad flag", "sipData"),
        Answer.error(429, "CMN-301", "Slow down"),
        Answer(503, b"<html>", {"Content-Type": "text/html"}),
        Answer(418),
    ],
)
async def test_any_other_error_is_the_outcome_of_all_ids_of_its_batch_after_one_request(
    sandbox: Sandbox, session: PresenceSession, error: Answer
) -> None:
    first, second = sandbox.extension_ids[:30], sandbox.extension_ids[30:60]
    rule = sandbox.faults.add(error, when=lambda r: first[0] in r.ids)
    result = await session.read_user_presence_statuses([*first, *second])
    assert rule.fired == 1
    assert set(result.errors) == set(first)
    assert {o.status for o in result[:30]} == {error.status}
    assert len(batches(sandbox)) == 2


async def test_a_broken_connection_fails_only_its_batch(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    first = sandbox.extension_ids[:30]
    rule = sandbox.faults.add(Reset(), when=lambda r: first[0] in r.ids, times=None)
    result = await session.read_user_presence_statuses(sandbox.extension_ids)
    assert rule.fired >= 1
    assert set(result.errors) == set(first)
    assert all(isinstance(e, ConnectionFailed) for e in result.errors.values())
    assert {o.status for o in result[:30]} == {None}


async def test_a_rejected_token_is_raised(sandbox: Sandbox, session: PresenceSession) -> None:
    await session.read_user_presence_status()
    refuse(Answer.error(401, "OAU-213", "No"), sandbox, lambda r: bool(r.ids))
    with pytest.raises(AuthError, match="OAU-213"):
        await session.read_user_presence_statuses(sandbox.extension_ids)
    refuse(Answer.error(401, "OAU-213", "No"), sandbox, lambda r: r.method == "PUT")
    with pytest.raises(AuthError):
        await session.update_user_presence_statuses({"~": {"message": "x"}})


@pytest.mark.fault
async def test_a_permission_missing_for_one_id_fails_only_that_id(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    hidden = sandbox.extension_ids[1]

    def forbid(body: bytes) -> bytes:
        items = json.loads(body)
        items[1].update(status=403, body={"errorCode": "CMN-404", "message": "No"})
        return json.dumps(items).encode()

    rule = sandbox.faults.add(Change(forbid), path="unified")
    result = await session.read_unified_presences(sandbox.extension_ids[:3])
    assert rule.fired == 1
    assert isinstance(result.errors[hidden], PermissionDenied)
    assert isinstance(result[1].error, PermissionDenied)


# Iteration.


async def test_iterating_yields_outcomes_in_the_order_of_the_ids(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    async def ids() -> AsyncIterator[str | int]:
        for id_ in [*sandbox.extension_ids[:40], "~", UNKNOWN, sandbox.extension_ids[0]]:
            await asyncio.sleep(0)
            yield id_

    got = [o async for o in session.iter_user_presence_statuses(ids())]
    assert [o.id for o in got] == [
        *sandbox.extension_ids[:40],
        "~",
        UNKNOWN,
        sandbox.extension_ids[0],
    ]
    assert [o.id for o in got if not o.ok] == [UNKNOWN]
    unified = [o async for o in session.iter_unified_presences(sandbox.user_ids[:3])]
    assert all(o.ok for o in unified)


async def test_iterating_yields_the_outcomes_before_a_wrong_id(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    ids = [*sandbox.extension_ids[:35], "x", *sandbox.extension_ids[35:]]
    got: list[Outcome[Any]] = []

    async def collect() -> None:
        async for outcome in session.iter_user_presence_statuses(ids):
            got.append(outcome)  # noqa: PERF401 - what comes before the error counts

    with pytest.raises(UsageError, match="not 'x'"):
        await collect()
    assert [o.id for o in got] == list(sandbox.extension_ids[:35])
    assert all(o.ok for o in got)


@pytest.mark.fault
async def test_iterating_takes_a_bounded_number_of_ids_ahead(sandbox: Sandbox) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield sandbox.extension_ids[taken % 100]

    async with (
        Session(sandbox.grant, server=sandbox.url, concurrency=2) as session,
        aclosing(session.iter_user_presence_statuses(endless())) as outcomes,
    ):
        for _ in range(300):
            assert (await anext(outcomes)).ok
    assert taken <= 300 + 30 * 6


@pytest.mark.fault
async def test_the_session_is_usable_after_a_break_out_of_an_iteration(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    rule = sandbox.faults.add(Hang(), times=None, when=lambda r: sandbox.extension_ids[95] in r.ids)
    async for outcome in session.iter_user_presence_statuses(sandbox.extension_ids):
        assert outcome.ok
        if rule.fired:
            break
    await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    sandbox.faults.clear()
    assert (await session.read_user_presence_statuses(sandbox.extension_ids)).errors == {}


# Writes.


async def test_writes_have_one_outcome_for_each_id(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    users = sandbox.user_ids[:12]
    change = PresenceInfoRequest(dnd_status="DoNotAcceptAnyCalls")
    bodies: dict[str | int, Any] = {int(users[0]): {"message": "hi"}, UNKNOWN: change}
    bodies |= dict.fromkeys(users[1:], change)
    result = await session.update_user_presence_statuses(bodies)
    assert [o.id for o in result] == [str(id_) for id_ in bodies]
    assert set(result.errors) == {UNKNOWN}
    assert result[0].unwrap().message == "hi"
    read = await session.read_user_presence_statuses(users[1:])
    assert {r.dnd_status for r in read.values.values()} == {DndStatus.DO_NOT_ACCEPT_ANY_CALLS}


async def test_failed_writes_are_in_the_outcomes(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    one, two, three, four = sandbox.user_ids[:4]
    rules = [
        sandbox.faults.add(Answer(503), method="PUT", path=one),
        sandbox.faults.add(Reset(), method="PUT", path=two),
        sandbox.faults.add(Answer(200, b"?"), method="PUT", path=three),
    ]
    bodies = {id_: {"message": "x"} for id_ in (one, two, three, four)}
    result = await session.update_user_presence_statuses(bodies)
    assert [rule.fired for rule in rules] == [1, 1, 1]
    kinds = [type(o.error) for o in result]
    assert kinds == [ServerError, ConnectionFailed, DecodeError, type(None)]


@pytest.mark.parametrize(
    "bodies",
    [None, ["1"], {"x": {}}, {"1": {"mesage": ""}}, {"1": 5}, {"1": {"message": "x" * 76}}],
)
async def test_wrong_writes_are_refused_before_anything_is_sent(
    sandbox: Sandbox, session: PresenceSession, bodies: Any
) -> None:
    with pytest.raises(UsageError):
        await session.update_user_presence_statuses(bodies)
    assert sandbox.requests == []


async def test_one_id_as_str_and_as_int_is_refused_in_a_write(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    bodies: dict[str | int, Any] = {"1": {"message": "x"}, 1: {"message": "y"}}
    with pytest.raises(UsageError, match="request_bodies has the id 1 twice"):
        await session.update_user_presence_statuses(bodies)
    assert sandbox.requests == []


async def test_a_session_closed_before_the_first_request_raises(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    async def ids() -> AsyncIterator[str]:
        await session.close()
        yield sandbox.extension_ids[0]

    with pytest.raises(UsageError, match="the session is not open"):
        await anext(session.iter_user_presence_statuses(ids()))
    assert sandbox.requests == []


@pytest.mark.fault
async def test_a_429_in_a_part_of_a_response_blocks_the_group_and_is_retried(
    sandbox: Sandbox, patient: Session
) -> None:
    def limit(body: bytes) -> bytes:
        items = json.loads(body)
        items[1].update(status=429, body={"errorCode": "CMN-301", "message": "Slow down"})
        return json.dumps(items).encode()

    began_at = patient.clock.now()
    rule = sandbox.faults.add(Change(limit), path="unified")
    result = await patient.read_unified_presences(sandbox.extension_ids[:3])
    assert rule.fired == 1
    assert result.errors == {}
    assert patient.stats.retries == 1
    assert patient.clock.now() - began_at >= 60.0
    assert [len(ids) for ids in batches(sandbox)] == [3, 1]


async def test_the_ids_before_a_wrong_one_are_a_batch() -> None:
    found = iter_batches(["1", 2, "3", "x", "5"], lambda: 2)
    assert await anext(found) == ("1", "2")
    assert await anext(found) == ("3",)
    with pytest.raises(UsageError, match="not 'x'"):
        await anext(found)


async def test_batches_have_the_size_that_applies_when_they_are_filled() -> None:
    sizes = iter([3, 3, 3, 2, 2, 2, 2])
    got = [chunk async for chunk in iter_batches(range(6), lambda: next(sizes))]
    assert got == [("0", "1", "2"), ("3", "4"), ("5",)]


async def test_the_error_of_a_request_is_distinguished_from_that_of_an_id(
    session: PresenceSession, sandbox: Sandbox
) -> None:
    """`of_request` says whether an outcome is about its id."""
    ids = sandbox.user_ids[:3]
    sandbox.faults.add(Answer(404), path=",")
    result = await session.read_user_presence_statuses(ids)
    assert [(type(o.error), o.of_request) for o in result] == [(NotFound, True)] * 3
    result = await session.read_user_presence_statuses([*ids, "999"])
    assert [o.of_request for o in result] == [False] * 4
    assert isinstance(result.errors["999"], NotFound)
    sandbox.faults.add(Answer(500), path="999", times=None)
    [alone] = await session.read_user_presence_statuses(["999"])
    assert (type(alone.error), alone.of_request) == (ServerError, False)
