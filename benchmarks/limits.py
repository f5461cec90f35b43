"""How fast can 9,000 extensions be read under the rate limits, and at the price of how many 429s?

The embedded platform with its minute scaled to one second: 50 requests of group Light per second,
and every request during the penalty of a 429 restarts that penalty, as RingCentral's do. Three
ways to send the 300 batches that 9,000 extensions take:

- aiopresence;
- all at once, each one sleeping as long as Retry-After says when refused;
- eight at a time, each one sleeping window x 2^n when refused for the n-th time.

Run: python -m benchmarks.limits
"""

import asyncio
import platform
import random
import time
from collections.abc import Callable
from math import ceil

import aiohttp
import attrs
from yarl import URL

from aiopresence import PresenceSession
from aiopresence.sandbox import Sandbox

EXTENSIONS = 9_000
BATCH = 30
LIMIT = 50
WINDOW = 1.0
# A policy that has not finished by then is stopped.
PATIENCE = 40 * WINDOW

REQUESTS = EXTENSIONS // BATCH
# The first burst goes at once, and each further one a window later.
OPTIMUM = (ceil(REQUESTS / LIMIT) - 1) * WINDOW


@attrs.frozen
class Result:
    """What one way of sending came to."""

    name: str
    seconds: float
    answered: int
    refused: int
    in_penalty: int

    def __str__(self) -> str:
        finished = self.answered == EXTENSIONS
        time_taken = f"{self.seconds:6.2f} s" if finished else "     not"
        ratio = f"{self.seconds / OPTIMUM:5.2f} x" if finished else "finished"
        return (
            f"{self.name:<34} {time_taken} {ratio} {self.answered:>9,} {self.refused:>7,}"
            f" {self.in_penalty:>10,}"
        )


async def with_aiopresence(sandbox: Sandbox) -> int:
    """Read as a user of this library would."""
    async with PresenceSession(sandbox.grant, server=sandbox.url) as session:
        return len((await session.read_user_presence_statuses(sandbox.extension_ids)).values)


async def by_hand(sandbox: Sandbox, concurrency: int, wait: Callable[[int, float], float]) -> int:
    """Read with aiohttp alone; `wait` tells how long after the n-th refusal."""
    async with aiohttp.ClientSession() as http:
        basic = aiohttp.encode_basic_auth(sandbox.client_id, sandbox.client_secret)
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": sandbox.jwt,
        }
        login = f"{sandbox.url}/restapi/oauth/token"
        async with http.post(login, data=form, headers={"Authorization": basic}) as response:
            token = (await response.json())["access_token"]
        slots = asyncio.Semaphore(concurrency)
        answered = 0

        async def read(ids: tuple[str, ...]) -> None:
            nonlocal answered
            path = f"/restapi/v1.0/account/~/extension/{','.join(ids)}/presence"
            url = URL(sandbox.url + path, encoded=True)
            headers = {"Authorization": f"Bearer {token}"}
            for refusals in range(1, 1000):
                async with http.get(url, headers=headers) as response:
                    if response.status == 207:
                        await response.read()
                        answered += len(ids)
                        return
                    asked = float(response.headers.get("Retry-After", WINDOW))
                await asyncio.sleep(wait(refusals, asked))

        async def limited(ids: tuple[str, ...]) -> None:
            async with slots:
                await read(ids)

        ids = sandbox.extension_ids
        batches = [ids[n : n + BATCH] for n in range(0, len(ids), BATCH)]
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*map(limited, batches))
        except TimeoutError:
            pass
        return answered


async def all_at_once(sandbox: Sandbox) -> int:
    """Gather everything, and believe Retry-After."""
    return await by_hand(sandbox, REQUESTS, lambda _, asked: asked)


async def backing_off(sandbox: Sandbox) -> int:
    """Eight workers, each backing off exponentially with some jitter."""
    jitter = random.Random(0)  # noqa: S311 - spreads repetitions, protects nothing
    return await by_hand(
        sandbox, 8, lambda n, _: WINDOW * 2 ** min(n, 6) * jitter.uniform(0.5, 1.0)
    )


async def main() -> None:
    """Try each way on a platform of its own and print the table."""
    print(f"{REQUESTS} requests, {LIMIT} per {WINDOW:g} s: at best {OPTIMUM:.2f} s.")
    print(f"Python {platform.python_version()}, aiohttp {aiohttp.__version__}\n")
    print(f"{'':<34} {'time':>8} {'':>8} {'answered':>9} {'429s':>7} {'in penalty':>10}")
    for name, way in (
        ("aiopresence", with_aiopresence),
        ("gather + Retry-After", all_at_once),
        ("8 workers, window x 2^n back-off", backing_off),
    ):
        async with Sandbox(EXTENSIONS, window=WINDOW) as sandbox:
            started = time.perf_counter()
            answered = await way(sandbox)
            seconds = time.perf_counter() - started
            counters = sandbox.counters
            print(Result(name, seconds, answered, counters.rate_limited, counters.in_penalty))


if __name__ == "__main__":
    asyncio.run(main())
