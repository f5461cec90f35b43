"""The limits against a server that counts by itself, over real sockets in virtual time."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from math import inf
from typing import Any

import attrs
import pytest

from aiopresence import GroupLimits, PresenceSession, RateLimited, ServerError
from tests.support.virtual import run, virtual


@attrs.define
class Server:
    """One group with a sliding window, whose penalties restart; it answers after some latency."""

    limit: int = 10
    window: float = 60.0
    penalty: float = 60.0
    latency: float = 0.2
    spelling: str | None = "X-Rate-Limit-"
    group: str = "light"
    wrong: dict[int, dict[str, str]] = attrs.field(factory=dict)  # headers of the nth answer
    requests: int = 0
    refused_at: list[float] = attrs.field(factory=list)
    arrivals: deque[float] = attrs.field(factory=deque)
    blocked_until: float = -inf
    url: str = ""

    def charge(self, *, ours: bool = False) -> dict[str, str]:
        """Count a request; return the headers of its answer."""
        now = asyncio.get_running_loop().time()
        while self.arrivals and self.arrivals[0] <= now - self.window:
            self.arrivals.popleft()
        headers = {"Retry-After": str(int(self.penalty))}
        if now < self.blocked_until or len(self.arrivals) >= self.limit:
            self.refused_at += [now] if ours else []
            self.blocked_until = now + self.penalty
            remaining = 0
        else:
            self.arrivals.append(now)
            remaining = self.limit - len(self.arrivals)
            headers.clear()
        if self.spelling is None:
            return headers
        told = {"Limit": self.limit, "Window": int(self.window), "Remaining": remaining}
        return headers | {
            f"{self.spelling}{name}": str(value)
            for name, value in {**told, "Group": self.group}.items()
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(self.latency / 2)
                headers = self.charge(ours=True) | self.wrong.get(self.requests, {})
                self.requests += 1
                status = "429 No" if "Retry-After" in headers else "200 OK"
                await asyncio.sleep(self.latency / 2)
                lines = [f"HTTP/1.1 {status}", "Content-Type: application/json"]
                lines += ["Content-Length: 2", *(f"{k}: {v}" for k, v in headers.items())]
                writer.write("\r\n".join([*lines, "", "{}"]).encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Server"]:
        """Listen while it lasts."""
        listening = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with listening:
            yield self
            await asyncio.sleep(1.0)  # For the connections to end.


async def read(session: PresenceSession, times: int) -> float:
    """Read so many times at once; return the seconds it took."""
    started = asyncio.get_running_loop().time()
    results = await asyncio.gather(
        *(session.read_user_presence_status() for _ in range(times)), return_exceptions=True
    )
    assert [result for result in results if isinstance(result, BaseException)] == []
    return asyncio.get_running_loop().time() - started


@virtual
async def test_a_penalty_that_is_longer_than_it_says_costs_one_429() -> None:
    async with Server(window=2.0, penalty=2.9).running() as server:
        for _ in range(11):
            server.charge()
        async with PresenceSession("token", server=server.url) as session:
            assert await read(session, 30) < 10.0
        assert len(server.refused_at) == 1


@virtual
async def test_without_headers_one_429_teaches_a_lower_limit() -> None:
    async with Server(limit=7, spelling=None).running() as server:
        async with PresenceSession("token", server=server.url) as session:
            await read(session, 50)
            assert session.limits["Light"].limit == 7
        # Those on their way with the first one; later there is none.
        assert 0 < len(server.refused_at) <= 8
        assert server.refused_at[-1] - server.refused_at[0] < server.latency


@pytest.mark.parametrize("spelling", ["X-Rate-Limit-", "X-RateLimit-", "x-ratelimit-"])
@pytest.mark.parametrize("group", ["LIGHT", "liGHT"])
def test_every_spelling_of_the_headers_teaches_the_limit(spelling: str, group: str) -> None:
    async def story() -> None:
        async with Server(limit=7, spelling=spelling, group=group).running() as server:
            limits: dict[str, GroupLimits | int] = {"lIGHt": 5}
            async with PresenceSession("token", server=server.url, limits=limits) as session:
                assert session.limits["Light"].limit == 5
                assert await read(session, 30) < 5 * 61.0
                assert [*session.limits] == ["Light"]
                assert session.limits["LIGHT"].limit == 7
            assert server.refused_at == []

    run(story)


WRONG = [
    {"X-Rate-Limit-Window": "60000"},
    {"X-Rate-Limit-Window": "86400"},
    {"X-Rate-Limit-Window": "900"},
    {"X-Rate-Limit-Limit": "1"},
    {"X-Rate-Limit-Remaining": "0"},
]


@pytest.mark.fault
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("number", [0, 5, 9])
def test_one_wrong_header_delays_nothing_once_the_next_answer_corrects_it(
    wrong: dict[str, str], number: int
) -> None:
    async def story() -> None:
        async with Server(wrong={number: wrong}).running() as server:
            async with PresenceSession("token", server=server.url) as session:
                # The last answer of a full window is corrected by none before a slot is free.
                assert await read(session, 30) < (125.0 if number == 5 else 190.0)
            assert server.refused_at == []

    run(story)


@pytest.mark.fault
@virtual
async def test_with_others_there_is_one_429_per_penalty_at_most() -> None:
    async with Server(limit=20).running() as server:

        async def foreign() -> None:
            while True:
                if asyncio.get_running_loop().time() > server.blocked_until:
                    server.charge()
                await asyncio.sleep(5.0)

        other = asyncio.create_task(foreign())
        await asyncio.sleep(6.0)
        async with PresenceSession("token", server=server.url) as session:
            await read(session, 100)
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
        assert server.refused_at
        gaps = [later - one for one, later in pairwise(server.refused_at)]
        assert min(gaps, default=inf) > server.penalty


@virtual
async def test_a_503_that_asks_for_years_is_a_server_error_with_retry_after() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 No\r\nRetry-After: 99999999\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    options: list[dict[str, Any]] = [{}, {"max_wait": 3600.0}]
    async with listening:
        for each in options:
            async with PresenceSession("token", server=url, **each) as session:
                with pytest.raises(ServerError) as caught:
                    await session.read_user_presence_status()
                assert caught.value.retry_after == 99_999_999.0
        await asyncio.sleep(1.0)


@pytest.mark.fault
@virtual
async def test_a_429_that_asks_for_years_is_raised_with_retry_after() -> None:
    async with Server(penalty=99_999_999.0, limit=1).running() as server:
        server.charge()
        async with PresenceSession("token", server=server.url) as session:
            for _ in range(2):
                with pytest.raises(RateLimited) as caught:
                    await session.read_user_presence_status()
                assert caught.value.retry_after == pytest.approx(86_401.0, abs=1.0)
        assert server.requests == 1
