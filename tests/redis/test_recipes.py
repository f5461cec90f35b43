"""The recipes of the guide "Scale out" do what they say, with a real Redis."""

import asyncio
import configparser
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp.test_utils import TestClient, TestServer
from cryptography.fernet import Fernet

from aiopresence.redis import read_fleet
from aiopresence.sandbox import Sandbox
from tests.recipes.scale_out import presence_service
from tests.support.cli_calls import credentials
from tests.support.documents import ROOT
from tests.support.fleet_files import accounts_file
from tests.support.redis_servers import RedisServer, redis_server
from tests.support.sessions import PLENTY
from tests.support.terminal import environment

HERE = ROOT / "tests/recipes/scale_out"
GUIDE = (ROOT / "aiopresence/docs/scale-out.md").read_text()
BINARY = str(Path(sys.executable).with_name("aiopresence"))
COMPOSE = yaml.safe_load((HERE / "compose.yaml").read_text())["services"]


@pytest.fixture(scope="module")
def recipe_redis() -> Iterator[RedisServer]:
    """A Redis with the options of the compose file."""
    program, *options = shlex.split(COMPOSE["redis"]["command"])
    assert program == "redis-server"
    names = [each.removeprefix("--").replace("-", "_") for each in options[::2]]
    with redis_server(**dict(zip(names, options[1::2], strict=True))) as server:
        yield server


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(HERE / "aiopresence-follow@.service")
    return parser["Service"]


@pytest.mark.parametrize("name", ["compose.yaml", "aiopresence-follow@.service"])
def test_the_guide_quotes_it(name: str) -> None:
    quoted = re.search(
        rf"<!-- tests/recipes/scale_out/{re.escape(name)} -->\n```\w+\n(.*?)```", GUIDE, re.S
    )
    assert quoted is not None
    assert quoted[1] == (HERE / name).read_text()


def commands(accounts: Path) -> list[list[str]]:
    """Return the commands of both recipes, with their file of accounts."""
    compose, service = shlex.split(COMPOSE["follow"]["command"]), shlex.split(unit()["ExecStart"])
    assert service[0].endswith("/aiopresence")
    return [
        [word.replace("/run/secrets/accounts", str(accounts)) for word in compose],
        [word.replace("${CREDENTIALS_DIRECTORY}/accounts", str(accounts)) for word in service[1:]],
    ]


async def test_processes_of_both_recipes_share_the_accounts(
    recipe_redis: RedisServer, tmp_path: Path
) -> None:
    names = ("AIOPRESENCE_REDIS_URL", "AIOPRESENCE_TOKEN_KEY")
    assert {*COMPOSE["follow"]["environment"]} == {*names}
    values = (recipe_redis.url, Fernet.generate_key().decode())
    env = environment(tmp_path, **dict(zip(names, values, strict=True)))
    async with Sandbox(3, limits=PLENTY) as north, Sandbox(4, limits=PLENTY) as south:
        file = accounts_file(tmp_path, {"north": north, "south": south})
        processes = [
            await asyncio.create_subprocess_exec(
                BINARY,
                *arguments,
                "--lease",
                "1",
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=env,
            )
            for arguments in commands(file)
        ]
        async with asyncio.timeout(30):
            while True:
                accounts = (await read_fleet(recipe_redis.url)).accounts.values()
                if len({each.process for each in accounts if each.is_live}) == 2:
                    break
                await asyncio.sleep(0.1)
        for process in processes:
            process.send_signal(signal.SIGTERM)
        ends = [await each.communicate() for each in processes]
    assert [each.returncode for each in processes] == [143, 143]
    assert not [err for _, err in ends if b"Traceback" in err]
    assert (await read_fleet(recipe_redis.url)).processes == ()


async def test_gunicorn_workers_share_limits_and_login(
    recipe_redis: RedisServer, tmp_path: Path
) -> None:
    async with Sandbox(90, limits={**PLENTY, "Light": 12}, window=1.0) as sandbox:
        socket = tmp_path / "service"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gunicorn", "presence_service:create_app"),
            *("--workers", "4", "--worker-class", "aiohttp.GunicornWebWorker"),
            *("--bind", f"unix:{socket}", "--chdir", str(HERE), "--log-level", "error"),
            env={**environment(tmp_path, **credentials(sandbox)), "REDIS_URL": recipe_redis.url},
        )
        try:
            answers, metrics = await ask(socket, sandbox.extension_ids)
        finally:
            process.terminate()
            await process.wait()
        sent = [each for each in sandbox.requests if each.path.endswith("/presence")]
        logins = [each for each in sandbox.requests if each.path.endswith("/oauth/token")]
    assert [[*each] for each in answers] == [[*sandbox.extension_ids]] * 8
    assert {key for each in answers for value in each.values() for key in value} == {"status"}
    assert len(metrics) > 1
    assert not any(each["rateLimited"] for each in metrics.values())
    assert (len(sent), len(logins)) == (24, 1)


async def test_the_service_answers_503_only_while_nothing_can_be_read(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence_service, "REDIS", server.url)
    async with Sandbox(3, limits=PLENTY, window=0.5) as sandbox:
        for name, value in credentials(sandbox).items():
            monkeypatch.setenv(name, value)
        one = sandbox.extension_ids[0]
        async with TestClient(TestServer(await presence_service.create_app())) as client:

            async def presence(ids: str) -> tuple[int, Any]:
                async with client.get("/presence", params={"ids": ids}) as response:
                    return response.status, await response.json(content_type=None)

            server.kill()
            failed = {"error": "RedisFailed"}
            assert await presence(f"{one},999") == (503, {one: failed, "999": failed})
            server.start()
            found = {one: {"status": "Available"}, "999": {"error": "NotFound"}}
            assert await presence(f"{one},999") == (200, found)
            assert await presence("999") == (200, {"999": {"error": "NotFound"}})
            async with client.get("/presence") as response:
                assert response.status == 400


async def ask(
    socket: Path, ids: Sequence[str]
) -> tuple[list[dict[str, Any]], dict[int, dict[str, Any]]]:
    """Return eight answers of the service, asked for at once, and the metrics by worker."""
    async with asyncio.timeout(60):
        while not socket.exists():
            await asyncio.sleep(0.1)
        # Each request on a connection of its own, so that every worker has some.
        connector = aiohttp.UnixConnector(str(socket), force_close=True)
        async with aiohttp.ClientSession("http://service", connector=connector) as client:

            async def get(path: str) -> dict[Any, Any]:
                async with client.get(path) as response:
                    assert response.status == 200
                    return dict(await response.json())

            of_all = [get(f"/presence?ids={','.join(ids)}") for _ in range(8)]
            answers = await asyncio.gather(*of_all)
            metrics = await asyncio.gather(*(get("/metrics") for _ in range(40)))
    return answers, {each["worker"]: each for each in metrics}
