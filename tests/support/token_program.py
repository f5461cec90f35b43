"""Processes that read once each, with their token in Redis; they may stop themselves.

A fork starts faster than a Python that imports the library again. Each line of the input is a job,
for which a process is forked and its id printed. It reports to a list in Redis, by its id:
"stopping" before it stops itself at the moment that the job names, and at its end "done" or
"failed".
"""

import asyncio
import json
import os
import signal
import sys
from typing import Any

import redis

from aiopresence import JwtGrant, PresenceSession
from aiopresence.redis import RedisTokenStore


class Store(RedisTokenStore):
    """Stops its process once, before or after a token request."""

    def __init__(self, job: dict[str, Any]) -> None:
        super().__init__(job["redis"], lock_for=job["lock_for"], timeout=5.0)
        self.job = job

    async def load(self, key: str) -> dict[str, Any] | None:
        token = await super().load(key)
        self.stop("before the request")
        return token

    async def save(self, key: str, token: dict[str, Any] | None) -> None:
        self.stop("after the request")
        await super().save(key, token)

    def stop(self, moment: str) -> None:
        if self.job["moment"] == moment:
            self.job["moment"] = None
            report(self.job, "stopping")
            os.kill(os.getpid(), signal.SIGSTOP)


def report(job: dict[str, Any], word: str) -> None:
    with redis.Redis.from_url(job["redis"]) as client:
        client.rpush(f"test:{os.getpid()}", word)


async def read(job: dict[str, Any]) -> None:
    grant = JwtGrant(*job["credentials"])
    async with PresenceSession(grant, server=job["server"], token_store=Store(job)) as session:
        await session.read_user_presence_status()


def work(job: dict[str, Any]) -> None:
    word = "failed"
    try:
        asyncio.run(read(job))
        word = "done"
    finally:
        report(job, word)


def main() -> None:
    """Fork a process for each line; end with the input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for the processes here.
    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if not pid:
            try:
                work(json.loads(line))
            finally:
                os._exit(0)
        print(pid, flush=True)  # noqa: T201 - the parent reads it


if __name__ == "__main__":
    main()
