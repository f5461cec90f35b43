"""Helpers for tests of logins and of many requests with one token."""

import asyncio

from aiopresence import PresenceSession
from aiopresence.sandbox import Sandbox

TOKEN = "/oauth/token"


def statuses(sandbox: Sandbox) -> list[int | None]:
    """Return the statuses of all reads that the sandbox received."""
    return [request.status for request in sandbox.requests if request.group == "Light"]


async def many(session: PresenceSession, count: int) -> int:
    """Send a number of reads at once, and return how many were answered."""
    records = await asyncio.gather(*(session.read_user_presence_status() for _ in range(count)))
    return sum(record.extension is not None for record in records)
