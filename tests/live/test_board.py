"""The board on real sockets, in virtual time."""

import asyncio
import gc
import json
from math import inf
from typing import Any

import pytest

from aiopresence import (
    AuthError,
    Availability,
    ChangeSource,
    DecodeError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PresenceStatus,
    SessionLost,
    TelephonyStatus,
    UsageError,
    filters,
)
from aiopresence.concurrency import SLICE
from aiopresence.sandbox import Answer, Change, GatewayPlan, Hang, Sandbox
from tests.support.turns import Turns
from tests.support.virtual import run, virtual, virtual_sandbox, virtual_session


def reads(sandbox: Sandbox) -> list[str]:
    return [r.path for r in sandbox.requests if r.group in ("Light", "Heavy")]


@virtual
async def test_a_board_of_the_account_subscribes_then_reads_every_page() -> None:
    async with virtual_sandbox(25, page_limit=10) as sandbox, virtual_session(sandbox) as session:
        async with session.board() as board:
            assert board.age == inf
            await board.wait_ready()
            assert [*board] == [*sandbox.extension_ids]
            assert len(board) == 25
            assert board.is_live
            assert board.age < 1
            assert not board.is_stale(sandbox.user_ids[0])
        order = [r.path.rpartition("/")[2] for r in sandbox.requests]
        assert order == ["token", "wstoken", "ws", "presence", "presence", "presence"]
        assert sandbox.gateway.subscriptions == [("/restapi/v1.0/account/~/presence",)]
        assert sandbox.gateway.connections == 0


@virtual
async def test_a_board_of_ids_subscribes_to_each_and_reads_them_in_batches() -> None:
    async with virtual_sandbox(60) as sandbox, virtual_session(sandbox) as session:
        ids = sandbox.user_ids[:40]
        async with session.board([int(id_) for id_ in ids], sip_data=True) as board:
            await board.wait_ready()
            assert set(board) == set(ids)
            assert board[int(ids[0])] == board[ids[0]]
            assert sandbox.user_ids[41] not in board
            [followed] = sandbox.gateway.subscriptions
            assert len(followed) == 40
            assert all(f.endswith("?detailedTelephonyState=true&sipData=true") for f in followed)
            assert len(reads(sandbox)) == 2


@virtual
async def test_a_board_counts_its_extensions_by_availability() -> None:
    async with virtual_sandbox(4) as sandbox, virtual_session(sandbox) as session:
        sandbox.ring(sandbox.user_ids[1])
        async with session.board() as board:
            await board.wait_ready()
            counts = board.count()
            assert [*counts] == [*Availability]
            assert sum(counts.values()) == len(board)
            assert counts[Availability.RINGING] == 1


@pytest.mark.parametrize(("count", "requests"), [(None, 10), (10_000, 10), (9_500, 10)])
@virtual
async def test_a_board_of_ten_thousand_is_ready_after_ten_pages(
    count: int | None, requests: int
) -> None:
    async with (
        virtual_sandbox(10_000, limits={"Heavy": 10, "Light": 50}, latency=0.2) as sandbox,
        virtual_session(sandbox) as session,
    ):
        ids = sandbox.extension_ids[:count] if count else None
        async with asyncio.timeout(10), session.board(ids) as board:
            await board.wait_ready()
            assert board.is_live
            assert len(board) == (count or 10_000)
            assert (session.stats.pages, len(reads(sandbox))) == (requests, requests)


@virtual
async def test_a_board_of_a_few_extensions_of_a_large_account_reads_them_in_batches() -> None:
    async with (
        virtual_sandbox(9_000, limits={"Heavy": 10, "Light": 50}) as sandbox,
        virtual_session(sandbox) as session,
    ):
        ids = sandbox.extension_ids[::9]
        async with asyncio.timeout(10), session.board(ids) as board:
            await board.wait_ready()
            assert set(board) == {*ids}
            # The first page shows how large the account is.
            assert (session.stats.pages, session.stats.batches) == (1, 30)


@virtual
async def test_changes_have_old_new_source_and_time() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        who = sandbox.user_ids[1]
        sandbox.set_presence(who, user_status="Available", allow_see_my_presence=True)
        async with session.board() as board:
            changes = board.changes()
            first = {change.id: change for change in [await anext(changes) for _ in range(20)]}
            assert first[who].old is None
            assert first[who].source is ChangeSource.ACCOUNT
            await board.wait_ready()
            before = board[who]
            sandbox.set_presence(who, user_status="Busy")
            change = await anext(changes)
            assert (change.id, change.old, change.source) == (who, before, ChangeSource.EVENT)
            assert change.new == board[who]
            assert change.new is not None
            assert change.new.presence_status is PresenceStatus.BUSY
            note = json.loads(sandbox.gateway.frames[-1].text)[1]
            assert change.time.isoformat()[:19] == note["timestamp"][:19]


@virtual
async def test_changes_that_were_not_taken_are_combined() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        one, two = sandbox.user_ids[1:3]
        for who in (one, two):
            sandbox.set_presence(who, user_status="Available", telephony_status="NoCall")
        async with session.board() as board:
            await board.wait_ready()
            changes, before = board.changes(), board[one]
            for _ in range(1000):
                sandbox.set_presence(one, user_status="Busy")
                sandbox.set_presence(one, user_status="Offline")
                sandbox.set_presence(two, user_status="Busy")
                sandbox.set_presence(two, user_status="Available")
            await asyncio.sleep(1)
            change = await anext(changes)
            assert (change.id, change.old, change.new) == (one, before, board[one])
            sandbox.set_presence(two, user_status="Busy")  # What had changed back is not told.
            assert (await anext(changes)).new == board[two]
            assert session.stats.events == 4001


@virtual
async def test_wait_for_checks_the_current_state_and_every_new_one() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        who = sandbox.user_ids[1]
        sandbox.set_presence(who, telephony_status="NoCall")
        async with session.board() as board:
            free = await board.wait_for(who, lambda p: p.telephony_status == "NoCall")
            assert free == board[who]
            waiting = asyncio.create_task(
                board.wait_for(int(who), lambda p: p.telephony_status == "CallConnected")
            )
            await asyncio.sleep(1)
            sandbox.ring(who)
            await asyncio.sleep(1)
            assert not waiting.done()
            sandbox.answer(who)
            assert (await waiting).telephony_status is TelephonyStatus.CALL_CONNECTED


@virtual
async def test_wait_for_refuses_extensions_that_are_not_followed() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as session,
        session.board([sandbox.user_ids[0]]) as board,
    ):
        with pytest.raises(UsageError, match="does not follow"):
            await board.wait_for(sandbox.user_ids[1], lambda _: True)
        with pytest.raises(UsageError, match="digits"):
            await board.wait_for("x", lambda _: True)


@virtual
async def test_a_failed_recovery_costs_one_subscription_and_one_read() -> None:
    async with (
        virtual_sandbox(2500) as sandbox,
        virtual_session(sandbox) as session,
        session.board() as board,
    ):
        await board.wait_ready()
        first = reads(sandbox)
        failed = sandbox.gateway.fail_recovery()
        sandbox.gateway.cut()
        sandbox.set_presence(sandbox.user_ids[5], user_status="Busy")
        await asyncio.sleep(60)
        assert failed.fired == 1
        assert reads(sandbox)[len(first) :] == first
        assert session.stats.resyncs == 1
        sent = [f.text for f in sandbox.gateway.frames if f.direction == "in"]
        assert sum("eventFilters" in text for text in sent) == 2
        assert board[sandbox.user_ids[5]].user_status == "Busy"
        assert board.is_live


@virtual
async def test_a_recovery_costs_nothing() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as session,
        session.board() as board,
    ):
        await board.wait_ready()
        first = reads(sandbox)
        cut = sandbox.gateway.cut()
        for who in sandbox.user_ids[:10]:
            sandbox.set_presence(who, message="", user_status="Offline")
            sandbox.set_presence(who, user_status="Busy")
        await asyncio.sleep(60)
        assert cut.fired == 1
        assert reads(sandbox) == first
        assert session.stats.resyncs == 0
        assert session.stats.events >= 10
        assert all(board[who].user_status == "Busy" for who in sandbox.user_ids[:10])


@virtual
async def test_without_a_connection_everything_is_stale_and_readable() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as session,
        session.board() as board,
    ):
        await board.wait_ready()
        who = sandbox.user_ids[1]
        before = board[who]
        down = sandbox.faults.add(Answer(503), path="ws", times=None)
        sandbox.gateway.cut()
        await asyncio.sleep(600)
        assert down.fired > 2
        assert board.is_stale(who)
        assert not board.is_live
        assert board.age > 590
        assert board[who] == before
        sandbox.faults.clear()
        await asyncio.sleep(200)
        assert not board.is_stale(who)
        assert board.age < 25


@virtual
async def test_after_a_gap_it_is_stale_until_it_was_read_again() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as session,
        session.board() as board,
    ):
        await board.wait_ready()
        hang = sandbox.faults.add(Hang(), path="/presence")
        sandbox.gateway.fail_recovery()
        sandbox.gateway.cut()
        while not hang.fired:
            await asyncio.sleep(1)
        assert all(board.is_stale(id_) for id_ in board)
        assert len(board) == 20
        await asyncio.sleep(120)
        assert not any(board.is_stale(id_) for id_ in board)


@virtual
async def test_a_change_without_an_event_is_found_by_the_refresh() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as session,
        session.board() as board,
        session.board(refresh=None) as never,
    ):
        await board.wait_ready()
        await never.wait_ready()
        await asyncio.sleep(60)  # An event of the same second as the read would cause another read.
        who = sandbox.user_ids[1]
        sandbox.set_presence(who, message="Back at 3")
        dropped = sandbox.gateway.drop()
        other = "Offline" if board[who].user_status == "Busy" else "Busy"
        sandbox.set_presence(who, user_status=other)
        await asyncio.sleep(3400)
        assert dropped.fired == 1
        assert board[who].message != "Back at 3"
        await asyncio.sleep(200)
        assert board[who].message == "Back at 3"
        assert board[who].user_status == sandbox.presence(who)["userStatus"]
        assert never[who].message != "Back at 3"


@virtual
async def test_a_new_extension_is_read_and_a_deleted_one_is_removed() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        gone, new = sandbox.user_ids[3], sandbox.user_ids[4]

        def without(id_: str) -> Any:
            def change(body: bytes) -> bytes:
                page = json.loads(body)
                page["records"] = [r for r in page["records"] if str(r["extension"]["id"]) != id_]
                return json.dumps(page).encode()

            return change

        sandbox.faults.add(Change(without(new)), path="account/~/presence")
        async with session.board() as board:
            await board.wait_ready()
            assert new not in board
            sandbox.set_presence(new, user_status="Busy", meeting_status="Connected")
            await asyncio.sleep(10)
            assert board[new].user_status == "Busy"
            sandbox.faults.add(Change(without(gone)), path="account/~/presence", times=None)
            missing = json.dumps({"errorCode": "CMN-102"}).encode()
            sandbox.faults.add(
                Answer(404, missing, {"Content-Type": "application/json"}),
                path=f"extension/{gone}/presence",
            )
            changes = board.changes()
            await asyncio.sleep(3700)
            assert gone not in board
            assert isinstance(board.errors[gone], NotFound)
            left = [c for c in [await anext(changes)] if c.id == gone]
            assert [c.new for c in left] == [None]


@virtual
async def test_an_unreadable_extension_is_in_errors_and_does_not_delay_the_others() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox):
        broken, good = sandbox.user_ids[1:3]

        def no_status(body: bytes) -> bytes:
            records = json.loads(body)
            for record in records if isinstance(records, list) else [records]:
                record = record.get("body", record)
                if str(record["extension"]["id"]) == broken:
                    record["presenceStatus"] = 7
            return json.dumps(records).encode()

        fault = sandbox.faults.add(Change(no_status), path="/presence", times=None)
        async with (
            virtual_session(sandbox, batch_format="json") as other,
            other.board([broken, good]) as board,
        ):
            await board.wait_ready()
            assert fault.fired >= 3
            assert [*board] == [good]
            assert isinstance(board.errors[broken], DecodeError)
            assert board.is_stale(broken)
            sandbox.faults.clear()
            await asyncio.sleep(200)
            assert set(board) == {broken, good}
            assert not board.errors


@virtual
async def test_an_unknown_id_does_not_affect_the_others() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as session,
        session.board([*sandbox.user_ids[:3], "999"]) as board,
    ):
        await board.wait_ready()
        assert set(board) == set(sandbox.user_ids[:3])
        assert isinstance(board.errors["999"], NotFound)
        sandbox.set_presence(sandbox.user_ids[1], meeting_status="Connected")
        met = await board.wait_for(sandbox.user_ids[1], lambda p: p.meeting_status == "Connected")
        assert met == board[sandbox.user_ids[1]]
        assert board.is_live


@virtual
async def test_an_unknown_id_is_found_although_the_service_is_down_meanwhile() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        down = sandbox.faults.add(Answer(503), path="/presence", times=9)
        async with session.board([*sandbox.user_ids[:3], "999"]) as board:
            await board.wait_ready()
            assert down.fired == 9
            assert set(board) == set(sandbox.user_ids[:3])
            assert isinstance(board.errors["999"], NotFound)


@virtual
async def test_an_extension_that_is_deleted_later_does_not_stop_the_board() -> None:
    async with virtual_sandbox() as sandbox:
        gone, left = sandbox.user_ids[:2]

        def without(body: bytes) -> bytes:
            parts = json.loads(body)
            for part in parts:
                if part["resourceId"] == gone:
                    part |= {"status": 404, "body": {"errorCode": "CMN-102", "message": "No."}}
            return json.dumps(parts).encode()

        async with (
            virtual_session(sandbox, batch_format="json") as session,
            session.board([gone, left]) as board,
        ):
            await board.wait_ready()
            sandbox.faults.add(Change(without), path=",", times=None)
            refused = sandbox.gateway.refuse_subscription(404, "CMN-102", times=2)
            sandbox.gateway.fail_recovery(None)
            sandbox.gateway.cut()
            await asyncio.sleep(200)
            assert refused.fired == 2
            assert [*board] == [left]
            assert board.is_live
            assert (filters.extension_presence(left),) in sandbox.gateway.subscriptions


@virtual
async def test_a_board_of_unknown_ids_only_raises_the_error() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as session,
        session.board(["998", "999"]) as board,
    ):
        with pytest.raises(NotFound):
            await board.wait_ready()


@virtual
async def test_a_refused_extension_does_not_affect_the_others() -> None:
    async with virtual_sandbox() as sandbox:
        odd, good = sandbox.user_ids[1:3]

        def refuse(body: bytes) -> bytes:
            parts = json.loads(body)
            for part in parts:
                if part["resourceId"] == odd:
                    part |= {"status": 400, "body": {"errorCode": "CMN-101", "message": "No."}}
            return json.dumps(parts).encode()

        fault = sandbox.faults.add(Change(refuse), path="/presence", times=None)
        async with (
            virtual_session(sandbox, batch_format="json") as session,
            session.board([odd, good]) as board,
        ):
            await board.wait_ready()
            assert fault.fired
            assert [*board] == [good]
            assert isinstance(board.errors[odd], InvalidRequest)


@virtual
async def test_a_missing_permission_is_raised_by_every_use_of_the_board() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        sandbox.forbid("ReadAccounts")
        board = session.board()
        with pytest.raises(PermissionDenied):
            async with board:
                await asyncio.sleep(60)
        with pytest.raises(PermissionDenied):
            board[sandbox.user_ids[0]]
        with pytest.raises(PermissionDenied):
            list(board)
        with pytest.raises(PermissionDenied):
            await board.wait_ready()
        with pytest.raises(PermissionDenied):
            board.changes()
        assert sandbox.gateway.connections == 0


@virtual
async def test_the_error_of_a_board_is_raised_by_waits_and_not_again_at_the_end() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        sandbox.forbid("WebSocketsSubscription")
        async with session.board() as board:
            with pytest.raises(PermissionDenied):
                await board.wait_ready()


@virtual
async def test_a_board_without_permission_to_read_stops() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        sandbox.forbid("ReadPresence")
        for ids in (None, sandbox.user_ids[:3]):
            async with session.board(ids) as board:
                with pytest.raises(PermissionDenied):
                    await board.wait_ready()


@virtual
async def test_a_board_whose_login_was_revoked_raises_the_error() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as session,
        session.board() as board,
    ):
        await board.wait_ready()
        changes = board.changes()
        refusal = Answer.error(400, "invalid_grant")
        refuse = sandbox.faults.add(refusal, path="oauth/token", times=None)
        sandbox.expire_tokens()
        sandbox.gateway.cut()
        with pytest.raises(AuthError):
            await anext(changes)
        assert refuse.fired


@virtual
async def test_closing_the_board_ends_the_iterations() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        async with session.board() as board:
            await board.wait_ready()
            follower = asyncio.create_task(anext(board.changes(), None))
            waiter = asyncio.create_task(board.wait_for(sandbox.user_ids[0], lambda _: False))
            await asyncio.sleep(0)
        assert await follower is None
        with pytest.raises(SessionLost):
            await waiter
        assert board.is_stale(sandbox.user_ids[0])
        assert len(board) == 20
        with pytest.raises(UsageError, match="once"):
            async with board:
                pass


@virtual
async def test_closing_the_session_ends_the_board() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        async with session.board() as board:
            await board.wait_ready()
            changes = board.changes()
            await session.close()
            with pytest.raises(SessionLost):
                await anext(changes)
            with pytest.raises(SessionLost):
                await board.wait_ready()
        assert sandbox.gateway.connections == 0


@virtual
async def test_a_board_that_is_entered_while_the_session_closes_ends() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as session,
        session.board(directory=True) as board,
    ):
        await session.close()  # Before the board's task has run at all.
        async with asyncio.timeout(60.0):
            with pytest.raises(SessionLost):
                await board.wait_ready()


@virtual
async def test_cancellation_at_any_moment_leaves_no_task() -> None:
    async with virtual_sandbox() as sandbox:
        for turns in [*range(60), *range(60, 400, 7)]:

            async def use() -> None:
                async with virtual_session(sandbox) as session, session.board() as board:
                    await board.wait_ready()
                    async for _ in board.changes():
                        pass

            using = asyncio.create_task(use())
            for _ in range(turns):
                await asyncio.sleep(0)
            using.cancel()
            with pytest.raises(asyncio.CancelledError):
                await using
            await asyncio.sleep(1)
            assert sandbox.gateway.connections == 0
        gc.collect()


@virtual
async def test_events_during_the_first_read_are_not_overwritten() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        who = sandbox.user_ids[2]
        sandbox.set_presence(who, user_status="Available", telephony_status="NoCall")

        def meanwhile(body: bytes) -> bytes:
            sandbox.set_presence(who, user_status="Offline")
            return body

        late = sandbox.faults.add(Change(meanwhile), path="account/~/presence")
        async with session.board() as board:
            await board.wait_ready()
            await asyncio.sleep(1)
            assert late.fired == 1
            assert board[who].user_status == "Offline"
            assert board[who].telephony_status is TelephonyStatus.NO_CALL


@virtual
async def test_event_numbers_that_begin_anew_cause_a_read() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        who = sandbox.user_ids[2]
        async with session.board() as board:
            await board.wait_ready()
            sandbox.set_presence(who, user_status="Busy")
            sandbox.set_presence(who, user_status="Offline")
            await asyncio.sleep(1)
            before = len(reads(sandbox))
            sandbox.gateway.restart_sequences()
            for status in ("Busy", "Available", "Busy"):
                sandbox.set_presence(who, user_status=status)
                await asyncio.sleep(1)
                assert board[who].user_status == status
            await asyncio.sleep(10)
        assert len(reads(sandbox)) == before + 1  # Once; then the new numbers are known.


@virtual
async def test_events_that_cannot_be_decoded_leave_the_limits_to_others() -> None:
    async with (
        virtual_sandbox() as sandbox,
        virtual_session(sandbox) as session,
        session.board() as board,
    ):
        await board.wait_ready()

        def spoil(text: str) -> str:
            return text.replace('"sequence":', '"sequence":"x","was":')

        spoilt = sandbox.gateway.replace(spoil, times=None)
        before = len(reads(sandbox))
        for number in range(120):
            change = ({"user_status": "Busy"}, {"user_status": "Available"})[number % 2]
            sandbox.set_presence("~", **change)
            await asyncio.sleep(0.5)
        await asyncio.sleep(10)
        assert spoilt.fired >= 119
        assert len(reads(sandbox)) - before <= 2 * 70 / 5
        assert board[sandbox.user_ids[0]].user_status == "Available"


@virtual
async def test_a_late_event_is_not_merged_and_its_extension_is_read() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        who = sandbox.user_ids[2]
        sandbox.set_presence(who, user_status="Available", telephony_status="NoCall")
        async with session.board() as board:
            await board.wait_ready()
            late = sandbox.gateway.delay(1, 5.0)
            sandbox.set_presence(who, user_status="Offline", ring_on_monitored_call=True)
            sandbox.set_presence(who, user_status="Busy")
            await asyncio.sleep(1)
            assert late.fired == 1
            assert board[who].user_status == "Busy"
            await asyncio.sleep(5)
            assert board[who].user_status == "Busy"
            assert board[who].ring_on_monitored_call is True


@virtual
async def test_a_disabled_filter_is_reported_and_its_extension_is_stale() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        one, two = sandbox.user_ids[1:3]

        def disable(text: str) -> str:
            meta, body = json.loads(text)
            if meta["type"] != "ClientRequest":
                return text
            [filter_] = [f for f in body["eventFilters"] if one in f]
            body["disabledFilters"] = [{"filter": filter_, "reason": "CMN-401", "message": "No."}]
            return json.dumps([meta, body])

        sandbox.gateway.replace(disable, times=2)
        async with session.board([one, two]) as board:
            await board.wait_ready()
            assert [f.reason for f in board.disabled_filters] == ["CMN-401"]
            assert board.is_stale(one)
            assert not board.is_stale(two)


@pytest.mark.parametrize("code", ["SUB-508", "SUB-505"])
def test_a_refused_subscription_is_raised(code: str) -> None:
    async def story() -> None:
        async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
            refused = sandbox.gateway.refuse_subscription(400, code)
            async with session.board() as board:
                with pytest.raises(InvalidRequest, match=code):
                    await board.wait_ready()
            assert refused.fired == 1

    run(story)


@virtual
async def test_a_board_waits_for_a_service_that_is_down() -> None:
    async with virtual_sandbox() as sandbox, virtual_session(sandbox) as session:
        down = sandbox.faults.add(Answer(503), path="account/~/presence", times=9)
        async with session.board() as board:
            await board.wait_ready()
            assert down.fired == 9
            assert len(board) == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"extension_ids": []}, "empty"),
        ({"extension_ids": "123"}, "iterable"),
        ({"extension_ids": ["~"]}, "digits"),
        ({"refresh": 0}, "refresh"),
        ({"refresh": "1"}, "refresh"),
        ({"detailed_telephony_state": "yes"}, "detailed_telephony_state"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    async def story() -> None:
        async with virtual_sandbox(1) as sandbox, virtual_session(sandbox) as session:
            with pytest.raises(UsageError, match=message):
                session.board(**arguments)

    run(story)


@virtual
async def test_a_board_that_was_not_entered_raises_a_usage_error() -> None:
    async with virtual_sandbox(1) as sandbox, virtual_session(sandbox) as session:
        board = session.board()
        for use in (board.wait_ready, lambda: board.wait_for("1", bool)):
            with pytest.raises(UsageError, match="async with"):
                await use()
        for look in (board.changes, lambda: list(board), lambda: len(board), lambda: board["1"]):
            with pytest.raises(UsageError, match="async with"):
                look()


@virtual
async def test_the_timing_that_the_gateway_states_is_obeyed() -> None:
    plan = GatewayPlan(idle_timeout=30.0, absolute_timeout=600.0)
    async with (
        virtual_sandbox(gateway=plan) as sandbox,
        virtual_session(sandbox) as session,
        session.board() as board,
    ):
        await board.wait_ready()
        await asyncio.sleep(3500)
        ends = [f.text for f in sandbox.gateway.frames if "WSG-" in f.text]
        assert not any("WSG-902" in end for end in ends)
        # The sandbox ends a session after so long whatever we do, and cannot continue it.
        assert len(ends) == session.stats.resyncs == 3500 // 600


@virtual
async def test_a_board_without_messages_for_25_seconds_is_not_live() -> None:
    async with (
        virtual_sandbox(5, gateway=GatewayPlan()) as sandbox,
        virtual_session(sandbox) as session,
        session.board() as board,
    ):
        await board.wait_ready()
        sandbox.gateway.silence()
        seen = set()
        for _ in range(400):
            seen.add((board.is_live, board.age > 25))
            await asyncio.sleep(0.1)
        assert (True, True) not in seen
        assert (True, False) in seen


@virtual
async def test_other_tasks_run_while_a_page_is_merged() -> None:
    async with (
        virtual_sandbox(1000) as sandbox,
        virtual_session(sandbox) as session,
        session.board() as board,
    ):
        with Turns(lambda: len(board)) as turns:
            await board.wait_ready()
        assert len(board) == 1000
        assert 0 < turns.most <= SLICE


@virtual
async def test_a_closed_board_ends_iterations_that_begin_then_with_an_error() -> None:
    async with virtual_sandbox(1) as sandbox, virtual_session(sandbox) as session:
        async with session.board() as board:
            await board.wait_ready()
        with pytest.raises(SessionLost):
            await anext(board.changes())
