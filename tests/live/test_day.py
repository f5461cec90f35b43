"""A day of events in virtual time: timeouts, expiring tokens, outages of every length."""

import asyncio
import random
from contextlib import aclosing
from typing import Any

import pytest

from aiopresence import PresenceEvent, PresenceEventBody, Resync, filters
from aiopresence.sandbox import Answer, GatewayPlan, Sandbox
from tests.support.virtual import run, virtual_sandbox, virtual_session

HOUR = 3600.0
Key = tuple[str, int]


def key(event: PresenceEvent) -> Key:
    body = event.body
    assert isinstance(body, PresenceEventBody)
    return body.extension_id or "", body.sequence or 0


def observe(sandbox: Sandbox) -> list[Key]:
    """Note every change of the account, in order."""
    seen: list[Key] = []

    def note(notification: dict[str, Any]) -> None:
        seen.append((notification["body"]["extensionId"], notification["body"]["sequence"]))

    checked = sandbox.feed.check_filters([filters.account_presence()])
    sandbox.feed.subscribe("observer", checked.active, note)
    return seen


async def live(sandbox: Sandbox, chance: random.Random) -> None:
    """Let something happen every few minutes, and something go wrong every hour or so."""
    for minute in range(24 * 60):
        if minute % 3 == 0:
            who = chance.choice(sandbox.user_ids)
            sandbox.set_presence(who, user_status=chance.choice(("Busy", "Available", "Offline")))
        if minute % 50 == 20:
            sandbox.gateway.cut(after=chance.randrange(3))
        if minute % 100 == 40:
            times = chance.randrange(12)
            sandbox.faults.add(Answer(503), path="/restapi/oauth/wstoken", times=times)
        if minute % 240 == 100:
            sandbox.gateway.fail_recovery()
        if minute % 300 == 150:
            sandbox.gateway.silence()
        await asyncio.sleep(60)


@pytest.mark.fault
def test_a_day_has_no_gap_that_is_not_reported_and_no_reconnect_storm() -> None:
    async def story() -> None:
        plan = GatewayPlan(recovery_buffer_size=5)
        limits = {"Auth": 5, "Light": 50, "Medium": 40, "Heavy": 10}
        async with virtual_sandbox(gateway=plan, limits=limits) as sandbox:
            happened, got = observe(sandbox), []

            async def follow() -> None:
                async with (
                    virtual_session(sandbox) as session,
                    aclosing(session.events()) as events,
                ):
                    async for event in events:
                        got.append(event)  # noqa: PERF401 - what came is kept when it ends

            following = asyncio.create_task(follow())
            await asyncio.sleep(5)
            await live(sandbox, random.Random(7))  # noqa: S311 - the same day every time
            await asyncio.sleep(300)
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            assert len(happened) > 200
            check_whole(happened, got)
            check_auth(sandbox)
            assert sandbox.gateway.connections == 0
            assert sandbox.counters.token_requests > 10

    run(story)


def check_whole(happened: list[Key], got: list[PresenceEvent | Resync]) -> None:
    """Everything was given once and in order, or is missing where a Resync stands."""
    given = [key(each) for each in got if isinstance(each, PresenceEvent)]
    assert len(given) == len(set(given))
    assert given == sorted(given, key=happened.index)
    resyncs = [each for each in got if isinstance(each, Resync)]
    missing = set(happened) - set(given)
    assert resyncs
    assert missing
    at = 0
    covered: set[Key] = set()
    for before, each in enumerate(got):
        if isinstance(each, PresenceEvent):
            at = happened.index(key(each)) + 1
            continue
        later = (key(e) for e in got[before:] if isinstance(e, PresenceEvent))
        until = next((happened.index(k) for k in later), len(happened))
        covered.update(happened[at:until])
    assert missing <= covered


def check_auth(sandbox: Sandbox) -> None:
    """Never more than the group allows in any minute, and of those the reserve for logins."""
    auth = [r for r in sandbox.requests if r.group == "Auth"]
    assert all(request.status != 429 for request in auth)
    arrivals = [r.arrival for r in auth if r.path.endswith("wstoken")]
    assert len(arrivals) > 20
    for first, fourth in zip(arrivals, arrivals[3:], strict=False):
        assert fourth - first > 60
