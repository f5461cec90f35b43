"""Serving the dashboard from the command line."""

import asyncio
import json
import signal
import socket
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from aiopresence.cli.commands.serve import IDLE_SECONDS, listening
from aiopresence.sandbox import Answer, Sandbox
from tests.support.cli_calls import credentials, invoke
from tests.support.sessions import PLENTY
from tests.support.terminal import COMMAND, environment
from tests.support.virtual import virtual

TOKEN = "a-token-of-this-test"


@asynccontextmanager
async def serving(
    *arguments: str, env: dict[str, str]
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run the command; yield the process, and the URL that it prints once it listens."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "serve", "--port", "0", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=env,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        assert line.startswith("Serving the dashboard at http://"), line
        yield process, line.split()[-1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def get(url: str, **headers: str) -> tuple[int, Any]:
    def load() -> tuple[int, Any]:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    return await asyncio.to_thread(load)


async def health(url: str, **headers: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await get(f"{url}health", **headers))[1])
    return found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_it_serves_a_sandbox_until_a_signal(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    env = environment(tmp_path)
    async with serving("--sandbox", "50", "--rate", "50", env=env) as (process, url):
        while (await health(url))["status"] != "ok":
            await asyncio.sleep(0.02)
        assert (await health(url))["extensions"] == 50
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2][:-1]))
        writer.write(b"GET /changes HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"event: changes\n")  # simulated ones
        process.send_signal(number)
        async with asyncio.timeout(2.0):
            rest = await reader.read()
            out, err = await process.communicate()
        assert b"event: ended" in rest
        writer.close()
    assert (process.returncode, out) == (code, b"")
    assert err.decode() == "Press Ctrl-C to stop.\n50 extensions were read.\n"


async def test_the_page_is_served_before_the_board_is_ready(tmp_path: Path) -> None:
    async with Sandbox(20, limits=PLENTY, latency=60.0) as sandbox:
        env = environment(tmp_path, **credentials(sandbox))
        async with serving(env=env) as (_, url):
            status, page = await get(url)
            assert (status, b"Loading" in page) == (200, True)
            assert (await health(url))["reason"] == "the presence has not been read yet"


async def test_the_token_of_the_environment_is_required_and_never_printed(tmp_path: Path) -> None:
    env = environment(tmp_path, AIOPRESENCE_TOKEN=TOKEN)
    async with serving("--sandbox", "5", "-vv", "--host", "0.0.0.0", env=env) as (process, url):  # noqa: S104
        assert url.startswith(f"http://{socket.gethostname()}:")
        local = f"http://127.0.0.1:{url.rpartition(':')[2]}"
        assert (await get(f"{local}presence"))[0] == 401
        assert (await get(f"{local}?token=wrong"))[0] == 401
        assert (await get(f"{local}?token={TOKEN}"))[0] == 401  # urllib keeps no cookies
        assert (await get(local, Authorization=f"Bearer {TOKEN}"))[0] == 200
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert process.returncode == 130
    assert TOKEN.encode() not in out + err
    assert b"?token=TOKEN" in err


async def test_a_refused_login_ends_it(tmp_path: Path) -> None:
    async with Sandbox(5) as sandbox:
        rule = sandbox.faults.add(Answer(400, b'{"error":"invalid_grant"}'), path="/oauth/token")
        env = environment(tmp_path, **credentials(sandbox))
        async with serving(env=env) as (process, _):
            _, err = await process.communicate()
        assert rule.fired
    assert process.returncode == 1
    assert b"invalid_grant" in err.splitlines()[-1]


@virtual
async def test_a_connection_without_a_complete_request_is_closed() -> None:
    loop = asyncio.get_running_loop()
    async with listening(web.Application(), "127.0.0.1", 0) as url:
        port = int(url.split(":")[2][:-1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        ended, began = asyncio.create_task(reader.read()), loop.time()
        for part in (b"GET / HT", b"TP/1.1\r\n", b"Host: local"):
            writer.write(part)
            await asyncio.sleep(4)
            assert not ended.done()
        assert await ended == b""
        assert loop.time() - began < IDLE_SECONDS + 2
        writer.close()


def test_other_machines_need_a_token() -> None:
    for host in ("0.0.0.0", "::", "10.0.0.1", "presence.example.com"):  # noqa: S104
        done = invoke("serve", "--sandbox", "5", "--host", host)
        assert done.code == 2
        assert f"--host {host} lets other machines connect, which requires a token" in done.err
        assert "export AIOPRESENCE_TOKEN=$(python3 -c" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--token", "short"), 2, "--token or AIOPRESENCE_TOKEN: token must be a str of at least"),
        (("--host", "192.0.2.1", "--token", TOKEN), 1, "cannot listen on 192.0.2.1 port 8080"),
    ],
)
def test_what_cannot_be_served_is_a_one_line_error(
    arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = invoke("serve", "--sandbox", "5", *arguments)
    assert done.code == code
    assert message in done.err
    assert done.err.count("\n") == 1
    assert done.out == ""


def test_a_port_in_use_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = invoke("serve", "--sandbox", "5", "--port", port)
    assert done.code == 1
    assert done.err == (
        f"aiopresence: port {port} is in use: choose another one with --port, or 0 for any\n"
    )
