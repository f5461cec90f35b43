"""RingCentral's own TypeScript client against the sandbox: a check of both from outside."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from aiopresence.sandbox import GatewayPlan, Sandbox
from tests.support.sandbox_socket import EVERYONE, until

SCRIPT = Path(__file__).with_name("vendor_client.mjs")
# Long enough for a busy machine to read ConnectionDetails by itself.
PLAN = GatewayPlan(replay_delay=0.5)
PACKAGES = ("@rc-ex/core@1.8.6", "@rc-ex/ws@1.4.2")
# An installation that cannot reach the registry fails in seconds, not minutes.
OPTIONS = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0")


@pytest.fixture(scope="module")
def packages(request: pytest.FixtureRequest) -> Path:
    """Install the client's packages beside pytest's cache, once; skip where that fails."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node or npm is not installed")
    where = request.config.rootpath / ".pytest_cache" / "d" / "vendor-client"
    installed = where / "installed.json"
    if not installed.exists() or json.loads(installed.read_text()) != list(PACKAGES):
        where.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--prefix", str(where), *OPTIONS, *PACKAGES]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"npm cannot install {' and '.join(PACKAGES)}: {error}")
        installed.write_text(json.dumps(PACKAGES))
    return where / "node_modules"


@attrs.frozen
class Script:
    """The running client: it reports steps, and goes on when it is told to."""

    process: asyncio.subprocess.Process

    async def proceed(self, value: object = None) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(value).encode() + b"\n")
        await self.process.stdin.drain()

    async def report(self) -> tuple[str, Any]:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        async with asyncio.timeout(10):
            line = await self.process.stdout.readline()
            assert line, (await self.process.stderr.read()).decode()
        report = json.loads(line)
        return report["step"], report["value"]


@asynccontextmanager
async def running(sandbox: Sandbox, packages: Path) -> AsyncIterator[Script]:
    """Run the client until it has subscribed."""
    process = await asyncio.create_subprocess_exec(
        "node",
        str(SCRIPT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "VENDOR_PACKAGES": str(packages)},
    )
    script = Script(process)
    try:
        await script.proceed(
            {
                "server": sandbox.url,
                "clientId": sandbox.client_id,
                "clientSecret": sandbox.client_secret,
                "jwt": sandbox.jwt,
                "filter": EVERYONE,
            }
        )
        yield script
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_the_vendors_client_recovers_and_gets_the_event_it_missed(packages: Path) -> None:
    async with Sandbox(3, gateway=PLAN) as sandbox, running(sandbox, packages) as client:
        step, subscription = await client.report()
        assert step == "subscribed"
        for status in ("Busy", "Offline"):
            if status == "Offline":  # missed: the connection is lost, the client not back yet
                assert sandbox.gateway.cut().fired == 1
                await until(sandbox, 0)
            sandbox.set_presence("~", user_status=status)
            if status == "Offline":
                assert await client.report() == ("recovered", "Successful")
            step, event = await client.report()
            assert (step, event["body"]["userStatus"]) == ("event", status)
            assert event["subscriptionId"] == subscription
        tokens = [r for r in sandbox.requests if r.path.endswith("/wstoken")]
        assert len(tokens) == 1  # the recovery reuses it
        assert [r.status for r in sandbox.requests if r.path == "/ws"] == [101, 101]
        await client.proceed()
        assert await client.report() == ("unsubscribed", None)
        assert sandbox.gateway.subscriptions == []
        await client.proceed()
        assert await client.report() == ("done", None)
        assert await client.process.wait() == 0


async def test_the_vendors_client_subscribes_again_when_the_session_is_gone(
    packages: Path,
) -> None:
    async with Sandbox(3, gateway=PLAN) as sandbox, running(sandbox, packages) as client:
        _, subscription = await client.report()
        lost = sandbox.gateway.fail_recovery()
        sandbox.gateway.cut()
        assert await client.report() == ("recovered", "Failed")
        assert lost.fired == 1
        sandbox.set_presence("~", meeting_status="Connected")
        step, event = await client.report()
        assert (step, event["body"]["meetingStatus"]) == ("event", "Connected")
        assert event["subscriptionId"] != subscription
