"""A sandbox in a thread, used from code that has no event loop."""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from aiopresence import PresenceSession, UsageError
from aiopresence.sandbox import Answer, Change, Received, Reset, Sandbox
from tests.support.sandbox_socket import PLENTY

PATH = "/restapi/v1.0/account/~/extension/~/presence"


def threads() -> list[str]:
    return [each.name for each in threading.enumerate()]


@contextmanager
def connection(sandbox: Sandbox) -> Iterator[http.client.HTTPConnection]:
    it = http.client.HTTPConnection(sandbox.url.removeprefix("http://"), timeout=5)
    try:
        yield it
    finally:
        it.close()


def ask(sandbox: Sandbox, path: str, body: str | None = None, **headers: str) -> tuple[int, Any]:
    with connection(sandbox) as it:
        it.request("POST" if body else "GET", path, body, headers)
        answer = it.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data else None


async def read(sandbox: Sandbox) -> str | None:
    async with PresenceSession(sandbox.grant, server=sandbox.url, attempts=1) as session:
        return (await session.read_user_presence_status()).user_status


def test_a_synchronous_test_reads_and_changes_the_account() -> None:
    with Sandbox.in_thread(7, seed=3, limits=PLENTY) as sandbox:
        assert sandbox.extension_ids == Sandbox(7, seed=3).extension_ids
        for status in ("Busy", "Available"):
            sandbox.set_presence("~", user_status=status)
            assert asyncio.run(read(sandbox)) == status
            assert sandbox.presence("~")["userStatus"] == status
        paths = [each.path for each in sandbox.requests]
        assert paths[1] == PATH
        with pytest.raises(UsageError, match="user_status must be one of"):
            sandbox.set_presence("~", user_status="Asleep")
        with pytest.raises(AttributeError):
            _ = sandbox.nonsense  # type: ignore[attr-defined]
    assert "aiopresence-sandbox" not in threads()
    # What has happened can be read afterwards, too.
    assert [each.path for each in sandbox.requests] == paths


def test_faults_and_requests_are_safe_to_use_from_other_threads() -> None:
    with Sandbox.in_thread(3, limits=PLENTY) as sandbox:
        seen = []

        def when(received: Received) -> bool:  # runs in the sandbox's thread
            seen.append(sandbox.url)
            return received.method == "GET"

        fault = sandbox.faults.add(Answer(503), times=2, when=when)
        for status in (503, 503, 404):
            assert ask(sandbox, "/nowhere")[0] == status
        assert fault.fired == 2
        assert seen == [sandbox.url] * 2
        kept = sandbox.requests
        ask(sandbox, "/later")
        assert (len(kept), len(sandbox.requests)) == (3, 4)
        sandbox.faults.add(Change(headers={"X-Mine": "1"}), times=None)
        sandbox.faults.add(Reset())
        sandbox.faults.clear()
        assert ask(sandbox, "/nowhere")[0] == 404


def test_all_other_members_of_a_sandbox_work() -> None:
    with Sandbox.in_thread(3, limits=PLENTY) as sandbox:
        assert sandbox.gateway.connections == 0
        assert sandbox.gateway.cut().fired == 0
        sandbox.webhooks.attempts = 1
        assert sandbox.webhooks.attempts == 1
        sandbox.webhooks.delivered()  # type: ignore[unused-coroutine]
        with sandbox.simulate(1000) as simulation:  # type: ignore[attr-defined]
            while simulation.changes < 3:
                pass
        assert sandbox.counters.logins == 0
        assert "grant" in dir(sandbox)
        assert sandbox.jwt not in repr(sandbox)


def test_many_threads_use_one_sandbox() -> None:
    with Sandbox.in_thread(3, limits=PLENTY) as sandbox:
        failed = []

        def work(status: str) -> None:
            try:
                for _ in range(20):
                    sandbox.set_presence("~", user_status=status)
                    assert ask(sandbox, "/nowhere")[0] == 404
            except BaseException as error:
                failed.append(error)

        workers = [threading.Thread(target=work, args=(each,)) for each in ("Busy", "Offline")]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(30)
        assert failed == []
        assert len(sandbox.requests) == 40


def test_errors_at_the_start_reach_the_caller() -> None:
    with Sandbox.in_thread(1) as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), Sandbox.in_thread(1, port=port):
            pass
        with pytest.raises(UsageError, match="from 1 to 100000"), Sandbox.in_thread(0):
            pass
        with pytest.raises(TypeError), Sandbox.in_thread(1, nonsense=1):
            pass
        assert threads().count("aiopresence-sandbox") == 1
    assert "aiopresence-sandbox" not in threads()


def test_an_exception_in_the_block_ends_the_thread() -> None:
    with pytest.raises(ZeroDivisionError), Sandbox.in_thread(1) as sandbox:
        raise ZeroDivisionError
    assert "aiopresence-sandbox" not in threads()
    with Sandbox.in_thread(1) as sandbox:
        sandbox.close()  # type: ignore[unused-coroutine]
    assert "aiopresence-sandbox" not in threads()
    with pytest.raises(UsageError, match="closed"):
        sandbox.start()  # type: ignore[unused-coroutine]
