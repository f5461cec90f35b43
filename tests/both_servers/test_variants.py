"""What RingCentral leaves open, as the independent server draws it from a seed.

Many more seeds by hand: python -m tests.both_servers.test_variants 200
"""

import asyncio
import random
import sys
from collections import Counter

import pytest

from aiopresence import (
    JwtGrant,
    NotFound,
    Outcome,
    PermissionDenied,
    PresenceBoard,
    PresenceSession,
    to_dict,
)
from aiopresence.sandbox import virtual_time
from tests.support.independent import IndependentServer
from tests.support.independent.faults import Kind
from tests.support.sessions import PLENTY

KINDS: tuple[Kind, ...] = (
    "reset",
    "lost_reply",
    "truncate",
    "slow",
    "500",
    "502",
    "503",
    "504",
    "401",
    "429",
    "429_bare",
    "malformed",
    "missing_part",
)
SHOWN = (
    "userStatus",
    "dndStatus",
    "telephonyStatus",
    "meetingStatus",
    "presenceStatus",
    "allowSeeMyPresence",
    "ringOnMonitoredCall",
    "acceptCallQueueCalls",
    "aggregatedTelephonyStatus",
)


def new_session(server: IndependentServer, seed: int) -> PresenceSession:
    grant = JwtGrant(server.client_id, server.client_secret, server.jwt)
    if seed % 2:
        return PresenceSession(grant, server=server.url)
    return PresenceSession(grant, server=server.url, batch_format="json")


async def read_in_spite_of_faults(seed: int) -> Counter[str]:
    """Read everybody while requests fail; return which faults there were."""
    async with IndependentServer(95, seed=seed, limits=PLENTY) as server:
        hidden, absent = server.user_ids[7], "999"
        server.account.forbidden.add(hidden)
        for number, id_ in enumerate(server.user_ids):
            server.set_presence(id_, message=f"message {number}")
        async with new_session(server, seed) as session:
            await session.read_user_presence_status()
            server.fail_by_chance(0.15, *KINDS, path="/extension/")
            ids = [*server.extension_ids, absent]
            for _ in range(3):
                result = await session.read_user_presence_statuses(ids)
                assert [each.id for each in result] == ids
                assert isinstance(result.errors.pop(hidden), PermissionDenied)
                assert isinstance(result.errors.pop(absent), NotFound)
                for each in result:
                    assert each.id in {hidden, absent} or is_true(server, each), each
        assert server.violations == []
        assert server.quotas.over == {}
        return server.faults.fired


def is_true(server: IndependentServer, outcome: Outcome) -> bool:  # type: ignore[type-arg]
    presence = outcome.unwrap()
    shown = presence.extension.id, presence.message
    return bool(shown == (outcome.id, server.presence(outcome.id).get("message")))


async def follow_in_spite_of_faults(seed: int) -> tuple[int, int]:
    """Follow changes on a board while connections end; return connections and recoveries."""
    chance = random.Random(seed)  # noqa: S311 - a seed has to repeat
    detailed = seed % 2 == 0
    async with IndependentServer(40, seed=seed, limits=PLENTY) as server:
        server.oauth.single_use_wstokens = seed % 3 == 0
        server.quotas.headers = seed % 5 != 0
        ids = server.user_ids[:20] if seed % 4 == 0 else None
        async with (
            new_session(server, seed) as session,
            session.board(ids, detailed_telephony_state=detailed) as board,
        ):
            await board.wait_ready()
            for _ in range(60):
                await do_something(server, chance)
            await asyncio.sleep(400)
            assert differences(board, server, detailed=detailed) == {}
            assert board.is_live
        assert server.violations == []
        assert server.quotas.over == {}
        return server.gateway.opened, server.gateway.recovered


async def do_something(server: IndependentServer, chance: random.Random) -> None:
    """Change somebody, disturb the connections, or let time pass."""
    id_ = chance.choice(server.user_ids)
    flag = chance.random() < 0.5
    match chance.randrange(12):
        case 0 | 1:
            server.set_presence(id_, user_status=chance.choice(("Busy", "Offline", "Available")))
        case 2 | 3:
            status = chance.choice(("Ringing", "NoCall", "CallConnected", "NewStatus"))
            server.set_presence(id_, telephony_status=status)
        case 4:
            status = "Connected" if flag else "Disconnected"
            server.set_presence(id_, meeting_status=status, dnd_status="DoNotAcceptAnyCalls")
        case 5:
            server.set_presence(id_, accept_call_queue_calls=flag, ring_on_monitored_call=flag)
        case 6:
            server.set_presence(id_, allow_see_my_presence=flag)
        case 7:
            server.drop_connections(polite=flag)
        case 8:
            server.gateway.freeze()
        case 9:
            server.gateway.fail_recoveries = 1
        case 10:
            server.expire_tokens()
        case _:
            await asyncio.sleep(chance.choice((0.01, 0.5, 5, 60, 200)))


def differences(
    board: PresenceBoard, server: IndependentServer, *, detailed: bool
) -> dict[str, dict[str, tuple[object, object]]]:
    """Return the fields by id in which a board differs from the truth; no calls equal none."""
    found = {}
    for id_ in board:
        shown, truth = to_dict(board[id_]), server.presence(id_, detailed=detailed)
        names = (*SHOWN, "activeCalls") if detailed else SHOWN
        pairs = {name: (shown.get(name), truth.get(name)) for name in names}
        wrong = {k: v for k, v in pairs.items() if v[0] != v[1] and any(v)}
        if wrong:
            found[id_] = wrong
    return found


async def test_every_id_is_answered_truly_whatever_the_form_and_the_faults() -> None:
    fired: Counter[str] = Counter()
    for seed in range(8):
        fired += await read_in_spite_of_faults(seed)
    assert sum(fired.values()) > len(KINDS)


@pytest.mark.parametrize("seed", range(5))
async def test_a_board_shows_the_truth_whatever_happened(seed: int) -> None:
    opened, _ = await follow_in_spite_of_faults(seed)
    assert opened > 1


def main(seeds: int) -> None:
    """Try many seeds, and print what failed."""
    for seed in range(seeds):
        for story in (read_in_spite_of_faults, follow_in_spite_of_faults):
            try:
                virtual_time.run(story(seed))
            except Exception as error:
                print(f"seed {seed}, {story.__name__}: {error}")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]))
