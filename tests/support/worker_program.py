"""Worker processes for tests: each line of the input is a job, for which it forks a process.

A fork starts faster than a Python that imports the library again. The job states the port of the
test, to which the worker connects: it writes "ready" when its session is open, waits for a line,
reads the ids of the job, and writes its result, as JSON lines.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import attrs

from aiopresence import JwtGrant, PresenceError, PresenceSession
from aiopresence.redis import RedisLimits, RedisTokenStore


async def work(job: dict[str, Any]) -> None:
    """Do one job; see `workers.Job`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", job["port"])

    def report(**values: object) -> None:
        writer.write(json.dumps(values).encode() + b"\n")

    try:
        async with AsyncExitStack() as stack:
            session = await open_session(job, stack)
            report(ready=True)
            await reader.readline()
            result = await read_all(session, job)
        report(**result)
    except PresenceError as error:
        report(failed=f"{type(error).__name__}: {error}")
    await writer.drain()
    writer.close()


async def open_session(job: dict[str, Any], stack: AsyncExitStack) -> PresenceSession:
    """Open the session of a job, whose requests carry the name of the worker."""
    http = await stack.enter_async_context(
        aiohttp.ClientSession(
            headers={"X-Client": job["name"]}, connector=aiohttp.TCPConnector(limit=0)
        )
    )
    options = dict(job["options"])
    auth: Any = job["token"] or JwtGrant("app", "secret", "user")
    if (redis := job["redis"]) is not None:
        options["limits"] = RedisLimits(redis["url"], **redis["limits"])
        if redis["tokens"] is not None:
            options["token_store"] = RedisTokenStore(redis["url"], **redis["tokens"])
    session = PresenceSession(auth, server=job["server"], http=http, **options)
    return await stack.enter_async_context(session)


async def read_all(session: PresenceSession, job: dict[str, Any]) -> dict[str, Any]:
    """Read all ids in batches, from some tasks at once, and return what became of them."""
    ids, size = job["ids"], job["batch"]
    batches = iter([ids[n : n + size] for n in range(0, len(ids), size)])
    answered: Counter[str] = Counter()
    errors: dict[str, str] = {}

    async def read() -> None:
        for batch in batches:
            for outcome in await session.read_user_presence_statuses(batch):
                if outcome.error is None:
                    answered[outcome.id] += 1
                else:
                    errors[outcome.id] = f"{type(outcome.error).__name__}: {outcome.error}"

    started = time.monotonic()
    await asyncio.gather(*(read() for _ in range(job["tasks"])))
    return {
        "seconds": time.monotonic() - started,
        "answered": dict(answered),
        "errors": errors,
        "stats": attrs.asdict(session.stats),
    }


def main() -> None:
    """Fork a process for each line, and print its id; end with the input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for the workers here.
    print("ready", flush=True)  # noqa: T201 - the parent reads it
    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if not pid:
            asyncio.run(work(json.loads(line)))
            os._exit(0)
        print(pid, flush=True)  # noqa: T201 - the same


if __name__ == "__main__":
    main()
