"""An account on the independent server, and its faults."""

import asyncio
import random
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.support.independent.faults import Fault, Kind
from tests.support.independent.http_wire import Request
from tests.support.independent.server import IndependentServer

from .accounts import Account, Inject
from .sandboxes import EXPIRE, PRESENCE, expire_tokens
from .tally import Tallies

Chance = random.Random

_HTTP: dict[str, Kind] = {
    "reset before the response": "reset",
    "reset after the effect": "lost_reply",
    "truncated body": "truncate",
    "slow body": "slow",
    "500": "500",
    "502 in HTML": "502",
    "503 with Retry-After": "503",
    "401": "401",
    "429 with Retry-After": "429",
    "malformed part": "malformed",
    "missing part": "missing_part",
}


@dataclass
class _Recorded(Fault):
    """A fault that records when it fires."""

    account: Account | None = None
    name: str = ""

    def fits(self, request: Request) -> bool:
        is_next = super().fits(request)
        if is_next and self.account is not None:
            self.account.fire(self.name, f"{request.method} {request.path[:60]}")
        return is_next


def _inject(kind: str, account: Account, chance: Chance) -> None:
    account.server.faults.pending.append(
        _Recorded(
            _HTTP[kind],
            PRESENCE,
            chance.randint(1, 2),
            delay=chance.uniform(0.1, 1.0),
            retry_after="1" if "Retry-After" in kind else None,
            account=account,
            name=kind,
        )
    )


def _end_connections(kind: str, account: Account, _: Chance) -> asyncio.Task[None]:
    """End all connections in one way or another, as soon as there are any."""
    server: IndependentServer = account.server

    async def do() -> None:
        while not server.gateway.connections:
            await asyncio.sleep(0.1)
        if kind == "failed recovery":
            server.gateway.fail_recoveries += 1
        if kind == "half-open connection":
            count = server.gateway.freeze()
        else:
            count = server.drop_connections(polite=kind == "connection closed")
        for _number in range(count):
            account.fire(kind, explains=False)

    return asyncio.create_task(do())


_GATEWAY = ("connection reset", "connection closed", "half-open connection", "failed recovery")
FAULTS: dict[str, Inject] = {
    **{kind: partial(_inject, kind) for kind in _HTTP},
    **{kind: partial(_end_connections, kind) for kind in _GATEWAY},
    EXPIRE: expire_tokens,
}


def new_account(name: str, server: IndependentServer, tallies: Tallies, seed: int) -> Account:
    """Return the account of a server."""

    def refused() -> int:
        return sum(server.quotas.over.values())

    return Account(name, server, server.user_ids, tallies, seed, refused, FAULTS)


def tidy(server: Any) -> None:
    """Forget what nobody needs any more: the ledger, faults that are over, sessions that ended."""
    server.requests.clear()
    server.faults.pending[:] = [each for each in server.faults.pending if each.fired < each.times]
    gateway = server.gateway
    oldest = server.now() - gateway.recovery_timeout
    for session in [*gateway.sessions.values()]:
        if session.lost_at is not None and session.lost_at < oldest:
            gateway._forget(session)
