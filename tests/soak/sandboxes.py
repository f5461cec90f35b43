"""Accounts on the package's sandbox, and the faults of its HTTP and its gateway."""

import asyncio
import random
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from aiopresence.sandbox import (
    Answer,
    Change,
    Delay,
    Drip,
    Hang,
    Reset,
    Sandbox,
    Slice,
    Truncate,
)

from .accounts import Account, Inject
from .tally import Tallies

PRESENCE = "/presence"
HTML = b"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"

Chance = random.Random


def _error(status: int, code: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer.error(status, code, headers=named)


def _break(body: bytes) -> bytes:
    """Break the JSON of one record."""
    return body.replace(b'"presenceStatus"', b'"presenceStatus', 1)


def _lose(body: bytes) -> bytes:
    """Remove the last part of a multipart body, or the last element of an array."""
    if body.startswith(b"--"):
        *parts, last, end = re.split(rb"(?m)^(?=--)", body)
        return b"".join([*parts, end]) if parts else last + end
    return re.sub(rb",\s*\{[^{]*\"resourceId\".*\]\s*$", b"]", body, count=1, flags=re.DOTALL)


def _take_another(body: bytes) -> bytes:
    """Let all that names one extension name another one, which nobody has asked for."""
    ids = re.findall(rb'"id"\s*:\s*"?(\d+)', body)
    return body.replace(ids[-1], b"9" * len(ids[-1])) if ids else body


def _repeat(body: bytes) -> bytes:
    """Let the second extension that is named be the first one again."""
    ids = [*dict.fromkeys(re.findall(rb'"id"\s*:\s*"?(\d{6,})', body))]
    return body.replace(ids[1], ids[0]) if len(ids) > 1 else body


# Faults of presence reads and writes; those in the second table are for batches only.
ANY: dict[str, Callable[[Chance], Any]] = {
    "reset before the response": lambda _: Reset(),
    "reset after the effect": lambda _: Reset(after_handling=True),
    "truncated body": lambda chance: Truncate(chance.randrange(1, 400)),
    "truncated without length": lambda chance: Truncate(chance.randrange(1, 400), declared=False),
    "slow body": lambda chance: Drip(chance.uniform(0.0, 0.0003)),
    "late response": lambda chance: Delay(chance.uniform(0.1, 1.0)),
    "no response": lambda _: Hang(),
    "body in single bytes": lambda _: Slice(),
    "500": lambda _: _error(500, "CMN-211"),
    "502 in HTML": lambda _: Answer(502, HTML, {"Content-Type": "text/html"}),
    "503 with Retry-After": lambda _: _error(503, "CMN-211", Retry_After="1"),
    "200 in HTML": lambda _: Answer(200, HTML, {"Content-Type": "text/html"}),
    "401": lambda _: _error(401, "OAU-128"),
    "429 with Retry-After": lambda _: _error(429, "CMN-301", Retry_After="1"),
}
BATCHES: dict[str, Callable[[bytes], bytes]] = {
    "malformed part": _break,
    "missing part": _lose,
    "part of another extension": _take_another,
    "part twice": _repeat,
}


def _inject(kind: str, account: Account, chance: Chance) -> None:
    """Apply a fault of the two tables to the next one or two requests."""
    batch = kind in BATCHES
    fault = Change(BATCHES[kind]) if batch else ANY[kind](chance)

    def matches(received: Any) -> bool:
        if batch and len(received.ids) < 2:
            return False
        account.fire(kind, f"{received.method} {received.path[:60]}")
        return True

    account.server.faults.add(fault, path=PRESENCE, when=matches, times=chance.randint(1, 2))


HTTP: dict[str, Inject] = {kind: partial(_inject, kind) for kind in (*ANY, *BATCHES)}


def expire_tokens(account: Account, _: Chance) -> None:
    account.server.expire_tokens()
    account.fire("expired tokens")


def forget_retry_after(account: Account, _: Chance) -> None:
    """Inject a 429 without Retry-After, after which nothing may be sent for half a minute."""

    def matches(_: Any) -> bool:
        account.fire("429 without Retry-After")
        return True

    account.server.faults.add(_error(429, "CMN-301"), path=PRESENCE, when=matches)


async def _watch(rule: Any, kind: str, account: Account) -> None:
    """Record a fault of the gateway when it fires, until the next quiet time."""
    seen = 0
    while True:
        while seen < rule.fired:
            seen += 1
            account.fire(kind, explains=False)
        if rule.exhausted or account.is_quiet:
            return
        await asyncio.sleep(0.1)


def _gateway(
    kind: str, account: Account, chance: Chance, add: Callable[[Any, Chance], Any], *, cut: bool
) -> asyncio.Task[None]:
    gateway = account.server.gateway
    rule = add(gateway, chance)
    if cut and gateway.connections:
        gateway.cut()
    return asyncio.create_task(_watch(rule, kind, account))


async def _drop_and_cut(account: Account, _: Chance) -> None:
    """Lose notifications and then the connections, as when the network fails."""
    gateway = account.server.gateway
    rule = gateway.drop(times=None)
    while not (rule.fired or account.is_quiet):
        await asyncio.sleep(0.005)
    # Of a later one the client would know that it has received everything before.
    rule.times = rule.fired
    if gateway.connections:
        gateway.cut()
    for _number in range(rule.fired):
        account.fire("lost notifications", explains=False)


def _refuse_handshake(account: Account, chance: Chance) -> None:
    def matches(_: Any) -> bool:
        account.fire("refused handshake")
        return True

    status = chance.choice((502, 503))
    account.server.faults.add(Answer(status), path="/ws?", when=matches)
    if account.server.gateway.connections:
        account.server.gateway.cut()


def _restart_sequences(account: Account, _: Chance) -> None:
    account.server.gateway.restart_sequences()
    account.fire("sequences that begin again", explains=False)


def _now(
    kind: str, account: Account, chance: Chance, act: Callable[[Any, Chance], Any]
) -> asyncio.Task[None]:
    """Do what takes effect at once on all open connections, as soon as there are any."""

    async def do() -> None:
        while not account.server.gateway.connections:
            await asyncio.sleep(0.1)
        for _ in range(act(account.server.gateway, chance).fired):
            account.fire(kind, explains=False)

    return asyncio.create_task(do())


GATEWAY: dict[str, Inject] = {
    "connection reset": partial(_now, "connection reset", act=lambda one, _: one.cut()),
    "half-open connection": partial(_now, "half-open connection", act=lambda one, _: one.silence()),
    "connection closed": partial(
        _now, "connection closed", act=lambda one, c: one.close(c.choice((1000, 1001, 1011, 4000)))
    ),
    "frame that is no JSON": partial(
        _now, "frame that is no JSON", act=lambda one, _: one.inject("[{")
    ),
    "failed recovery": partial(
        _gateway, "failed recovery", add=lambda one, _: one.fail_recovery(), cut=True
    ),
    "lost notifications": lambda account, chance: asyncio.create_task(
        _drop_and_cut(account, chance)
    ),
    "doubled notifications": partial(
        _gateway,
        "doubled notifications",
        add=lambda one, c: one.duplicate(c.randint(1, 5)),
        cut=False,
    ),
    "late notifications": partial(
        _gateway,
        "late notifications",
        add=lambda one, c: one.delay(c.randint(1, 5), c.uniform(0.1, 2)),
        cut=False,
    ),
    "swapped notifications": partial(
        _gateway, "swapped notifications", add=lambda one, _: one.reorder(2), cut=False
    ),
    "late connection details": partial(
        _gateway, "late connection details", add=lambda one, c: one.late_details(2), cut=True
    ),
    "no connection details": partial(
        _gateway, "no connection details", add=lambda one, c: one.without_details(), cut=True
    ),
    "refused handshake": _refuse_handshake,
    "sequences that begin again": _restart_sequences,
}


EXPIRE, MINUTE = "expired tokens", "429 without Retry-After"
FAULTS: dict[str, Inject] = {
    **HTTP,
    **GATEWAY,
    EXPIRE: expire_tokens,
    MINUTE: forget_retry_after,
}


def new_account(
    name: str, sandbox: Sandbox, tallies: Tallies, seed: int, *, writable: int = 0
) -> Account:
    """Return the account of a sandbox; its last users, so many, stay as they are."""
    users = sandbox.user_ids
    ids = users[: len(users) - writable]
    return Account(name, sandbox, ids, tallies, seed, lambda: sandbox.counters.rate_limited, FAULTS)
