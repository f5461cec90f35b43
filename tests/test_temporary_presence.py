"""Temporary changes of presence against the sandbox, in virtual time."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiopresence import (
    DecodeError,
    InvalidRequest,
    PresenceInfoRequest,
    PresenceSession,
    RestoreFailed,
    ServerError,
    TransportError,
    UsageError,
    UserStatus,
)
from aiopresence.sandbox import (
    Answer,
    Change,
    Delay,
    Exchange,
    Hang,
    Reset,
    Sandbox,
    Truncate,
)
from aiopresence.sandbox.responses import Response
from aiopresence.temporary_presence import UNDO_TIMEOUT
from tests.support.virtual import virtual, virtual_sandbox, virtual_session
from tests.support.waiting import fired

BUSY = PresenceInfoRequest(user_status="Busy", message="at lunch")
DND = {"dnd_status": "DoNotAcceptAnyCalls"}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with virtual_sandbox(20) as sandbox:
        sandbox.set_presence(
            "~", user_status="Available", message="here", dnd_status="TakeAllCalls"
        )
        yield sandbox


@pytest.fixture
async def session(sandbox: Sandbox) -> AsyncIterator[PresenceSession]:
    async with virtual_session(sandbox) as session:
        yield session


def requests(sandbox: Sandbox) -> list[str]:
    return [each.method for each in sandbox.requests if each.path.endswith("/presence")]


def status(sandbox: Sandbox) -> tuple[Any, Any]:
    now = sandbox.presence("~")
    return now["userStatus"], now.get("message")


@virtual
async def test_a_change_lasts_as_long_as_the_block(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    async with session.temporary_presence(BUSY) as temporary:
        assert status(sandbox) == ("Busy", "at lunch")
        assert temporary.before.user_status is UserStatus.AVAILABLE
        assert temporary.applied.user_status is UserStatus.BUSY
    assert status(sandbox) == ("Available", "here")
    assert requests(sandbox) == ["GET", "PUT", "GET", "PUT"]
    assert json.loads(sandbox.requests[-1].body) == {"userStatus": "Available", "message": "here"}


@virtual
async def test_a_message_goes_away_where_there_was_none(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    sandbox.set_presence("~", message="")
    async with session.temporary_presence({"message": "at lunch"}):
        assert sandbox.presence("~")["message"] == "at lunch"
    assert not sandbox.presence("~").get("message")


@pytest.mark.fault
@virtual
async def test_what_somebody_else_has_changed_stays(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    async with session.temporary_presence(BUSY):
        sandbox.set_presence("~", message="ill")
    assert status(sandbox) == ("Available", "ill")
    async with session.temporary_presence(BUSY):
        sandbox.set_presence("~", message="ill", user_status="Offline")
    assert status(sandbox) == ("Offline", "ill")


@virtual
async def test_a_change_that_changes_nothing_costs_no_requests_at_the_end(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    async with session.temporary_presence({"user_status": "Available"}):
        pass
    async with session.temporary_presence({}, extension_id=int(sandbox.user_ids[3])):
        pass
    assert requests(sandbox) == ["GET", "PUT"] * 2


async def member_of_a_queue(sandbox: Sandbox, session: PresenceSession) -> str:
    queue = await session.read_call_queue_presence(sandbox.queue_ids[0])
    [first, *_] = queue.records or ()
    assert first.member is not None
    return str(first.member.id)


@pytest.mark.parametrize(
    "before", ["TakeAllCalls", "DoNotAcceptDepartmentCalls", "TakeDepartmentCallsOnly"]
)
@pytest.mark.parametrize(
    "change",
    [DND, {"dnd_status_personal": "DoNotAcceptAnyCalls"}, {"accept_call_queue_calls": False}],
    ids=str,
)
@virtual
async def test_do_not_disturb_goes_back_to_the_setting_before(
    sandbox: Sandbox, session: PresenceSession, before: str, change: dict[str, Any]
) -> None:
    id_ = await member_of_a_queue(sandbox, session)
    sandbox.set_presence(id_, dnd_status=before)
    known = sandbox.presence(id_)
    assert known["dndStatus"] == before
    async with session.temporary_presence(change, extension_id=id_) as temporary:
        assert temporary.applied.dnd_status == sandbox.presence(id_)["dndStatus"]
    assert sandbox.presence(id_) == known


@pytest.mark.fault
@virtual
async def test_do_not_disturb_stays_as_somebody_else_has_set_it(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    id_ = await member_of_a_queue(sandbox, session)
    async with session.temporary_presence(DND, extension_id=id_):
        sandbox.set_presence(id_, dnd_status="DoNotAcceptDepartmentCalls")
        chosen = sandbox.presence(id_)
    assert sandbox.presence(id_) == chosen


@virtual
async def test_changes_within_a_change_go_back_in_turn(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    before = sandbox.presence("~")
    async with session.temporary_presence(BUSY):
        outer = sandbox.presence("~")
        async with session.temporary_presence({"message": "in a call", **DND}):
            assert status(sandbox) == ("Busy", "in a call")
        assert sandbox.presence("~") == outer
    assert sandbox.presence("~") == before


@virtual
async def test_whatever_is_changed_goes_back(sandbox: Sandbox, session: PresenceSession) -> None:
    rng = random.Random(7)  # noqa: S311
    id_ = await member_of_a_queue(sandbox, session)
    settings: dict[str, list[Any]] = {
        "user_status": ["Available", "Busy", "Offline"],
        "dnd_status": ["TakeAllCalls", "DoNotAcceptAnyCalls", "DoNotAcceptDepartmentCalls"],
        "dnd_status_personal": ["TakeAllCalls", "DoNotAcceptAnyCalls"],
        "message": ["", "x", "y"],
        "caller_id_visibility": ["All", "None", "PermittedUsers"],
        "allow_see_my_presence": [True, False],
        "ring_on_monitored_call": [True, False],
        "pick_up_calls_on_hold": [True, False],
        "accept_call_queue_calls": [True, False],
    }
    changed = 0
    for _ in range(60):
        first, change = (
            {n: rng.choice(v) for n, v in settings.items() if rng.random() < 0.5} for _ in range(2)
        )
        sandbox.set_presence(id_, **first)
        before = sandbox.presence(id_)
        async with session.temporary_presence(change, extension_id=id_):
            changed += sandbox.presence(id_) != before
        assert sandbox.presence(id_) == before
    assert changed > 40


@pytest.mark.fault
@virtual
async def test_a_change_that_is_refused_is_not_undone(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    fault = sandbox.faults.add(Answer.error(400, "CMN-101", "no"), method="PUT")
    with pytest.raises(InvalidRequest):
        async with session.temporary_presence(BUSY):
            pytest.fail("the block must not run")
    assert (fault.fired, requests(sandbox)) == (1, ["GET", "PUT"])


@pytest.mark.fault
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Reset(after_handling=True), TransportError),
        (Change(lambda _: b"[]"), DecodeError),
        (Change(status=500), ServerError),
    ],
    ids=["a reset connection", "another body", "another status"],
)
@virtual
async def test_a_change_whose_answer_is_lost_is_undone(
    sandbox: Sandbox, session: PresenceSession, fault: Any, error: type[Exception]
) -> None:
    lost = sandbox.faults.add(fault, method="PUT")
    with pytest.raises(error) as caught:
        async with session.temporary_presence(BUSY):
            pytest.fail("the block must not run")
    assert lost.fired == 1
    assert status(sandbox) == ("Available", "here")
    assert requests(sandbox) == ["GET", "PUT", "GET", "PUT"]
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.fault
@virtual
async def test_a_change_that_was_never_received_is_not_undone(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    lost = sandbox.faults.add(Reset(), method="PUT")
    with pytest.raises(TransportError):
        async with session.temporary_presence(BUSY):
            pytest.fail("the block must not run")
    assert lost.fired == 1
    assert requests(sandbox) == ["GET", "PUT", "GET"]


@pytest.mark.fault
@pytest.mark.parametrize("handled", [True, False])
@virtual
async def test_a_lost_answer_to_the_restoring_request_is_found_out(
    sandbox: Sandbox, session: PresenceSession, handled: bool
) -> None:
    lost = sandbox.faults.add(Reset(after_handling=handled), method="PUT", skip=1)
    async with session.temporary_presence(BUSY):
        pass
    assert lost.fired == 1
    assert status(sandbox) == ("Available", "here")
    assert requests(sandbox)[4:] == (["GET"] if handled else ["GET", "PUT"])


@pytest.mark.fault
@virtual
async def test_what_cannot_be_restored_is_reported(
    sandbox: Sandbox, session: PresenceSession, caplog: pytest.LogCaptureFixture
) -> None:
    fault = sandbox.faults.add(Answer.error(403, "CMN-408", "no"), method="PUT", skip=1)
    with pytest.raises(RestoreFailed) as caught:
        async with session.temporary_presence(BUSY):
            pass
    assert fault.fired == 1
    assert caught.value.remaining == {"user_status": "Busy", "message": "at lunch"}
    text = str(caught.value)
    assert text.startswith("the presence of your own extension was not restored: user_status may ")
    assert "message may still be 'at lunch'" in text
    assert "CMN-408" in text
    assert status(sandbox) == ("Busy", "at lunch")
    assert not caplog.messages


@pytest.mark.fault
@virtual
async def test_a_value_that_the_server_does_not_restore_is_reported(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    def still_busy(body: bytes) -> bytes:
        return json.dumps({**json.loads(body), "userStatus": "Busy"}).encode()

    fault = sandbox.faults.add(Change(still_busy), method="PUT", skip=1)
    with pytest.raises(RestoreFailed, match="has not restored it") as caught:
        async with session.temporary_presence(BUSY):
            pass
    assert fault.fired == 1
    assert caught.value.remaining == {"user_status": "Busy"}


@pytest.mark.fault
@virtual
async def test_the_error_of_the_block_is_raised_even_if_nothing_can_be_restored(
    sandbox: Sandbox, session: PresenceSession, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeyError):
        async with session.temporary_presence(BUSY):
            raise KeyError("of the block")
    assert status(sandbox) == ("Available", "here")
    with pytest.raises(KeyError, match="of the block") as caught:  # noqa: PT012
        async with session.temporary_presence(BUSY):
            sandbox.faults.add(Answer(500), method="PUT", times=None)
            raise KeyError("of the block")
    assert requests(sandbox)[4:] == ["GET", "PUT", "GET", "PUT", "GET", "PUT"]
    [note] = caught.value.__notes__
    assert "user_status may still be 'Busy'" in note
    assert caplog.messages == [note]


async def changing(session: PresenceSession, entered: asyncio.Event) -> None:
    async with session.temporary_presence(BUSY):
        entered.set()
        await asyncio.Event().wait()


@pytest.mark.fault
@virtual
async def test_a_cancelled_block_is_undone(sandbox: Sandbox, session: PresenceSession) -> None:
    task = asyncio.create_task(changing(session, entered := asyncio.Event()))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert status(sandbox) == ("Available", "here")


@pytest.mark.fault
@virtual
async def test_a_change_that_is_cancelled_on_its_way_is_undone(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    sent = asyncio.Event()

    def tell(body: bytes) -> bytes:
        sent.set()
        return body

    fault = sandbox.faults.add(Change(tell), method="PUT")
    task = asyncio.create_task(changing(session, asyncio.Event()))
    await sent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fault.fired == 1
    assert status(sandbox) == ("Available", "here")


class Late:
    """Handles a request after a second, whether or not its client is still connected."""

    async def apply(self, exchange: Exchange) -> Response | None:
        loop = asyncio.get_running_loop()
        response: asyncio.Future[Response] = loop.create_future()
        loop.call_later(1.0, lambda: response.set_result(exchange.real()))
        return await asyncio.shield(response)


@virtual
async def test_a_change_that_is_made_after_its_cancellation_is_undone(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    fault = sandbox.faults.add(Late(), method="PUT")
    task = asyncio.create_task(changing(session, asyncio.Event()))
    await fired(fault)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(5.0)
    assert status(sandbox) == ("Available", "here")


@pytest.mark.fault
@virtual
async def test_undoing_a_cancelled_block_takes_30_seconds_at_most(
    sandbox: Sandbox, session: PresenceSession, caplog: pytest.LogCaptureFixture
) -> None:
    entered, notes = asyncio.Event(), list[str]()

    async def cancelled() -> None:
        # Who awaits the task gets another error with some versions of Python.
        try:
            await changing(session, entered)
        except asyncio.CancelledError as error:
            notes.extend(error.__notes__)
            raise

    task = asyncio.create_task(cancelled())
    await entered.wait()
    fault = sandbox.faults.add(Hang(), times=None)
    began = asyncio.get_running_loop().time()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fault.fired
    assert asyncio.get_running_loop().time() - began == pytest.approx(UNDO_TIMEOUT, abs=0.1)
    [note] = notes
    assert "user_status may still be" in note
    assert "stopped before it was done" in note
    assert caplog.messages == [note]


@pytest.mark.fault
@virtual
async def test_a_task_that_is_cancelled_while_it_undoes_stops_and_says_what_remains(
    sandbox: Sandbox, session: PresenceSession, caplog: pytest.LogCaptureFixture
) -> None:
    task = asyncio.create_task(changing(session, entered := asyncio.Event()))
    await entered.wait()
    fault = sandbox.faults.add(Hang(), times=None)
    task.cancel()
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fault.fired == 1
    [message] = caplog.messages
    assert "message may still be 'at lunch'" in message


@virtual
async def test_a_closed_session_restores_nothing(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    with pytest.raises(RestoreFailed, match="not open") as caught:
        async with session.temporary_presence(BUSY):
            await session.close()
    assert caught.value.remaining["user_status"] == "Busy"


@pytest.mark.fault
@virtual
async def test_nothing_is_changed_whose_value_before_is_unknown(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    def without_visibility(body: bytes) -> bytes:
        return body.replace(b"callerIdVisibility", b"other")

    fault = sandbox.faults.add(Change(without_visibility), method="GET")
    with pytest.raises(RestoreFailed, match="caller_id_visibility could not be restored") as caught:
        async with session.temporary_presence({"caller_id_visibility": "All", "message": "x"}):
            pytest.fail("the block must not run")
    assert fault.fired == 1
    assert caught.value.remaining == {}
    assert requests(sandbox) == ["GET"]


FAULTS: list[Any] = [
    Answer(500),
    Answer.error(400, "CMN-101", "no"),
    Answer(429, headers={"Retry-After": "1"}),
    Answer(503, headers={"Retry-After": "1"}),
    Reset(),
    Reset(after_handling=True),
    Truncate(5),
    Change(lambda _: b"[]"),
    Change(status=500),
    Delay(2.0),
    Hang(),
]


@virtual
async def test_no_change_stays_without_being_reported(
    sandbox: Sandbox, session: PresenceSession, caplog: pytest.LogCaptureFixture
) -> None:
    rng, stayed = random.Random(5), 0  # noqa: S311
    for _ in range(60):
        sandbox.set_presence("~", user_status="Available", message="", dnd_status="TakeAllCalls")
        before = sandbox.presence("~")
        caplog.clear()
        for _ in range(rng.randrange(1, 4)):
            sandbox.faults.add(
                rng.choice(FAULTS),
                method=rng.choice(["GET", "PUT"]),
                path="/presence",
                skip=rng.randrange(3),
                times=rng.randrange(1, 4),
            )
        task = asyncio.create_task(changing_for(session, rng.choice([0.0, 5.0])))
        if rng.random() < 0.4:
            await asyncio.wait([task], timeout=rng.uniform(0.0, 8.0))
            task.cancel()
        [result] = await asyncio.gather(task, return_exceptions=True)
        sandbox.faults.clear()
        if sandbox.presence("~") != before:
            said = [*getattr(result, "__notes__", ()), str(result), *caplog.messages]
            assert any("was not restored" in each for each in said)
            stayed += 1
    assert 0 < stayed < 20


async def changing_for(session: PresenceSession, seconds: float) -> None:
    async with session.temporary_presence({"user_status": "Busy", "message": "x", **DND}):
        await asyncio.sleep(seconds)


@pytest.mark.parametrize("arguments", [{"change": {"status": "Busy"}}, {"extension_id": "x"}])
@virtual
async def test_wrong_arguments_are_refused_at_once(
    sandbox: Sandbox, session: PresenceSession, arguments: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        session.temporary_presence(**{"change": BUSY, **arguments})
    assert requests(sandbox) == []


@pytest.mark.fault
@virtual
@pytest.mark.parametrize("second", [{"user_status": "Offline"}, {"user_status": "Busy"}])
async def test_of_overlapping_blocks_the_last_one_restores(
    sandbox: Sandbox, session: PresenceSession, second: dict[str, Any]
) -> None:
    first = session.temporary_presence(BUSY)
    await first.__aenter__()
    async with session.temporary_presence(second):
        await first.__aexit__(None, None, None)
        # What both change stays until the second one ends; the message was of the first alone.
        assert status(sandbox) == (second["user_status"], "here")
    assert status(sandbox) == ("Available", "here")


@virtual
async def test_of_overlapping_do_not_disturb_the_last_one_restores_all_of_it(
    sandbox: Sandbox, session: PresenceSession
) -> None:
    before = sandbox.presence("~")
    first = session.temporary_presence(DND)
    await first.__aenter__()
    async with session.temporary_presence({"accept_call_queue_calls": False}):
        await first.__aexit__(None, None, None)
        assert sandbox.presence("~")["dndStatus"] == "DoNotAcceptAnyCalls"
    assert sandbox.presence("~") == before


@pytest.mark.fault
@virtual
@pytest.mark.parametrize("seed", range(20))
async def test_whatever_overlaps_everything_is_as_before_at_the_end(
    sandbox: Sandbox, session: PresenceSession, seed: int
) -> None:
    before = sandbox.presence("~")
    rng = random.Random(seed)  # noqa: S311 - chooses what happens
    changes: list[Any] = [
        BUSY,
        DND,
        {"user_status": "Offline"},
        {"message": "out"},
        {"message": ""},
    ]

    async def block() -> None:
        await asyncio.sleep(rng.uniform(0, 10))
        async with session.temporary_presence(rng.choice(changes)):
            await asyncio.sleep(rng.uniform(0, 10))

    sandbox.faults.add(Delay(0.5), path="presence", times=None)
    await asyncio.gather(*(block() for _ in range(8)))
    assert sandbox.presence("~") == before


@virtual
async def test_a_block_that_is_cancelled_while_it_waits_to_end_says_what_remains(
    sandbox: Sandbox, session: PresenceSession, caplog: pytest.LogCaptureFixture
) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def block() -> None:
        async with session.temporary_presence(BUSY):
            entered.set()
            await leave.wait()

    task = asyncio.create_task(block())
    await entered.wait()
    fault = sandbox.faults.add(Delay(20), path="presence")
    # It takes its time to begin.
    other = asyncio.create_task(session.temporary_presence({"message": "out"}).__aenter__())
    await asyncio.sleep(1)
    leave.set()
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fault.fired == 1
    assert "user_status may still be 'Busy'" in caplog.text
    await other
