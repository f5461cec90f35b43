"""What a session writes to the logger `aiopresence`, and what it counts."""

import asyncio
import logging
import re

import pytest

from aiopresence import ConnectionFailed, PresenceSession, RateLimited, Stats
from aiopresence.sandbox import Answer, Raw, Redirect, Reset, Sandbox
from aiopresence.transport.clock import Clock
from aiopresence.transport.instrumentation import Instrumentation
from tests.support.sessions import PLENTY, Session
from tests.support.virtual import run, virtual_sandbox, virtual_session

UUID = r"[0-9a-f]{8}-[0-9a-f-]{27}"


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Return the lines of the library at one level."""
    records = [r for r in caplog.records if r.name == "aiopresence" and r.levelno == level]
    return [record.getMessage() for record in records]


def matches(pattern: str, line: str) -> bool:
    return re.fullmatch(pattern.replace("ID", UUID), line) is not None


async def test_each_request_is_one_line_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        Sandbox(40, limits=PLENTY) as sandbox,
        Session(sandbox.grant, server=sandbox.url) as session,
    ):
        await session.read_user_presence_statuses(sandbox.extension_ids[:30])
        await session.read_user_presence_statuses(sandbox.extension_ids[:3])
        one, two, three = sandbox.extension_ids[:3]
    login, batch, small = lines(caplog, logging.DEBUG)
    path = "/restapi/v1.0/account/~/extension"
    assert matches(r"POST /restapi/oauth/token: HTTP 200 in \d+\.\d{3} s \[request ID\]", login)
    assert batch.startswith(f"GET {path}/{one},{two},+28/presence: HTTP 207 in ")
    assert matches(r"GET \S+: HTTP 207 in \d+\.\d{3} s \[request ID\]", batch)
    # Nothing is gained by leaving out a single id.
    assert small.startswith(f"GET {path}/{one},{two},{three}/presence: HTTP 207 in ")


async def test_a_failed_request_and_its_retry_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        Sandbox(5, limits=PLENTY) as sandbox,
        Session(sandbox.grant, server=sandbox.url, attempts=2) as session,
    ):
        await session.read_user_presence_status()
        caplog.clear()
        sandbox.faults.add(Answer(503), path="/presence", times=1)
        sandbox.faults.add(Reset(after_handling=True), path="/presence", times=2)
        with pytest.raises(ConnectionFailed):
            await session.read_user_presence_status()
    path = "/restapi/v1.0/account/~/extension/~/presence"
    failed, *_, broken = lines(caplog, logging.DEBUG)
    assert failed.startswith(f"GET {path}: HTTP 503 in ")
    assert matches(
        rf"GET {path} \(attempt 2\): no response after \d+\.\d{{3}} s: connection to \S+ lost .*",
        broken,
    )
    [retry] = lines(caplog, logging.INFO)
    assert re.fullmatch(rf"retrying GET {path} in [12]\.\d s \(attempt 2\): HTTP 503: .*", retry), (
        retry
    )


async def test_the_path_of_a_redirect_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        Sandbox(5, limits=PLENTY) as sandbox,
        Session(sandbox.grant, server=sandbox.url) as session,
    ):
        sandbox.faults.add(Redirect("/restapi/v1.0/canary"), path="/presence", times=1)
        with pytest.raises(Exception, match="404"):
            await session.read_user_presence_status()
    assert lines(caplog, logging.DEBUG)[-1].startswith("GET (redirect): HTTP 404 in ")
    assert "canary" not in caplog.text


def test_waits_logins_and_connections_are_logged_at_info(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with (
            virtual_sandbox(limits={**PLENTY, "Light": 2}) as sandbox,
            virtual_session(sandbox) as session,
        ):
            for _ in range(3):
                await session.read_user_presence_status()
            async with session.board(sandbox.extension_ids[:2]) as board:
                await board.wait_ready()

    caplog.set_level(logging.INFO)
    run(story)
    login, wait, *connection = lines(caplog, logging.INFO)
    assert re.fullmatch(r"logged in; the access token is due for renewal in 3\d{3} s", login)
    assert re.fullmatch(r"waiting (59|60)\.\d s: rate limit of group Light", wait)
    assert connection[0] == "connected for events"
    assert re.fullmatch(
        r"connection for events ended after \d+ s: the event session ended", connection[-1]
    )


def test_a_429_is_a_warning_and_the_wait_for_it_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        async with (
            virtual_sandbox(limits={**PLENTY, "Light": 50}) as sandbox,
            virtual_session(sandbox) as session,
        ):
            await session.read_user_presence_status()
            sandbox.consume("Light", 50)
            await session.read_user_presence_status()

    caplog.set_level(logging.INFO)
    run(story)
    [warning] = lines(caplog, logging.WARNING)
    found = re.fullmatch(r"HTTP 429: group Light is blocked for (\d+\.\d) s", warning)
    assert found is not None
    retry, wait = lines(caplog, logging.INFO)[-2:]
    assert re.fullmatch(
        r"retrying GET \S+ when the rate limits allow it \(attempt 2\): HTTP 429: .*", retry
    )
    assert wait == f"waiting {found[1]} s: group Light is blocked after a 429"


def test_a_gap_in_the_events_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with (
            virtual_sandbox() as sandbox,
            virtual_session(sandbox) as session,
            session.board() as board,
        ):
            await board.wait_ready()
            sandbox.gateway.fail_recovery(None)
            sandbox.gateway.cut()
            await asyncio.sleep(30.0)

    run(story)
    assert len(lines(caplog, logging.WARNING)) == 1
    assert re.fullmatch(
        r"events since \d\d:\d\d:\d\d UTC may have been lost: ConnectionLost",
        lines(caplog, logging.WARNING)[0],
    )


async def test_nothing_is_logged_of_a_good_request_by_default(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with (
        Sandbox(5) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url) as session,
    ):
        await session.read_user_presence_status()
    assert [r for r in caplog.records if r.name == "aiopresence"] == []


async def test_a_text_that_cannot_be_the_name_of_a_group_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with (
        Sandbox(5, limits=PLENTY) as sandbox,
        Session(sandbox.grant, server=sandbox.url, attempts=1) as session,
    ):
        answer = "HTTP/1.1 429 X\r\nContent-Length: 0\r\nX-Rate-Limit-Group: \u202egroup\r\n\r\n"
        sandbox.faults.add(Raw(answer.encode()), path="/presence", times=1)
        with pytest.raises(RateLimited):
            await session.read_user_presence_status()
    [warning] = lines(caplog, logging.WARNING)
    assert warning.startswith("HTTP 429: group Light is blocked for ")
    assert "u202e" not in warning


def test_stats_begin_at_zero_and_are_a_copy() -> None:
    session = PresenceSession("token")
    assert session.stats == Stats()
    assert session.stats is not session.stats
    instrumentation = Instrumentation(None, Clock())
    instrumentation.items_answered(3)
    assert instrumentation.stats == Stats(items=3)
