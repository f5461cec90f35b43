"""WebSocket tokens: requested for each connection, reused, and replaced when they are refused."""

import json

import pytest

from aiopresence import PermissionDenied
from aiopresence.sandbox import Answer, Reset, Sandbox
from tests.support.event_follower import HANDSHAKE, WSTOKEN, following, handshakes, when, ws_tokens


@pytest.mark.fault
@pytest.mark.parametrize(("refusals", "logins"), [(1, 1), (2, 2), (3, 2), (4, 3)])
async def test_new_tokens_that_are_refused_twice_in_a_row_get_another_login(
    sandbox: Sandbox, refusals: int, logins: int
) -> None:
    fault = Answer.error(401, "OAU-213", "No")
    rule = sandbox.faults.add(fault, path=HANDSHAKE, times=refusals)
    async with following(sandbox) as follower:
        await follower.works()
        assert rule.fired == refusals
        assert sandbox.counters.token_requests == logins
        assert handshakes(sandbox) == [401] * refusals + [101]
        # Each attempt had a new WebSocket token.
        assert len(ws_tokens(sandbox)) == refusals + 1


async def test_refusals_after_a_connection_that_worked_are_counted_afresh(sandbox: Sandbox) -> None:
    fault = Answer.error(401, "OAU-213", "No")
    async with following(sandbox) as follower:
        for _ in range(3):
            await follower.works()
            rule = sandbox.faults.add(fault, path=HANDSHAKE)
            sandbox.gateway.cut()
            await when(lambda rule=rule: rule.fired)  # type: ignore[misc]
        await follower.works()
        assert handshakes(sandbox) == [101, 401, 101, 401, 101, 401, 101]
        assert sandbox.counters.token_requests == 1


async def test_a_new_token_that_is_refused_in_a_frame_is_replaced_like_one_in_the_handshake(
    sandbox: Sandbox,
) -> None:
    def refuse(_: str) -> str:
        return json.dumps([{"type": "Error"}, {"errorCode": "OAU-128"}])

    rule = sandbox.gateway.replace(refuse, times=2)
    async with following(sandbox) as follower:
        await when(lambda: rule.fired == 2)
        await follower.works()
        assert len(ws_tokens(sandbox)) == 3
        assert sandbox.counters.token_requests == 2


@pytest.mark.parametrize("fault", [Answer(503), Answer(500), Reset(), Answer(200, b"<html>")])
async def test_the_last_token_is_reused_if_there_is_no_new_one(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, fault: Reset | Answer
) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        rule = sandbox.faults.add(fault, path=WSTOKEN)
        sandbox.gateway.cut()
        await follower.works()
        assert rule.fired == 1
        assert handshakes(sandbox) == [101, 101]
        assert len(ws_tokens(sandbox)) == 1
        assert follower.reasons == []
        assert "reusing the WebSocket token" in caplog.text


@pytest.mark.fault
async def test_an_expired_token_is_not_reused(sandbox: Sandbox) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        follower.session.clock.skipped += 31.0
        rule = sandbox.faults.add(Answer(503), path=WSTOKEN, times=2)
        sandbox.gateway.cut()
        await follower.works()
        assert rule.fired == 2
        assert handshakes(sandbox) == [101, 101]
        assert len(ws_tokens(sandbox)) == 2


@pytest.mark.fault
@pytest.mark.parametrize("status", [401, 403, 400])
async def test_a_token_that_is_refused_when_reused_is_replaced_at_once(
    sandbox: Sandbox, status: int
) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        sandbox.faults.add(Answer(503), path=WSTOKEN)
        rule = sandbox.faults.add(Answer(status), path=HANDSHAKE)
        sandbox.gateway.cut()
        await follower.works()
        assert rule.fired == 1
        assert handshakes(sandbox) == [101, status, 101]
        assert len(ws_tokens(sandbox)) == 2
        # It was reused: the access token is not replaced.
        assert sandbox.counters.token_requests == 1


async def test_a_missing_permission_is_raised_although_a_token_could_be_reused(
    sandbox: Sandbox,
) -> None:
    async with following(sandbox) as follower:
        await follower.works()
        rule = sandbox.faults.add(Answer.error(403, "CMN-401"), path=WSTOKEN, times=2)
        sandbox.gateway.cut()
        with pytest.raises(PermissionDenied):
            await follower.task
        assert rule.fired == 2
