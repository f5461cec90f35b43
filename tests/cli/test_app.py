import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from aiopresence.cli.app import COMMANDS
from aiopresence.sandbox import Sandbox
from tests.support.cli_calls import invoke

ENVIRONMENT = {
    k: v for k, v in os.environ.items() if not k.startswith(("RC_", "RINGCENTRAL_", "COLUMNS"))
}


def run(*arguments: str, environment: Mapping[str, str] = ENVIRONMENT) -> tuple[int, str, str]:
    code = "from aiopresence.cli import main; main()"
    done = subprocess.run(  # noqa: S603 - a fixed command
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**environment, "NO_COLOR": "1"},
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_read_reports_34_requests_for_a_thousand_extensions() -> None:
    code, out, err = run("read", "--sandbox", "1000")
    assert code == 0
    assert len(out.splitlines()) == 1001
    assert err.startswith("Read 1,000 extensions in 34 requests, ")


async def test_credentials_come_from_the_environment() -> None:
    async with Sandbox() as sandbox:
        environment = {
            **ENVIRONMENT,
            "RC_SERVER_URL": sandbox.url,
            "RC_APP_CLIENT_ID": sandbox.client_id,
            "RC_APP_CLIENT_SECRET": sandbox.client_secret,
            "RC_USER_JWT": sandbox.jwt,
        }
        code, out, _ = await asyncio.to_thread(run, "read", "~", environment=environment)
        assert code == 0
        assert out.splitlines()[1].startswith("~ ")


async def test_sandbox_runs_until_ctrl_c() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from aiopresence.cli import main; main()", "sandbox",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**ENVIRONMENT, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    lines = [(await process.stdout.readline()).decode() for _ in range(4)]
    await process.stderr.readline()
    names = ["RC_SERVER_URL", "RC_APP_CLIENT_ID", "RC_APP_CLIENT_SECRET", "RC_USER_JWT"]
    values = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
    assert list(values) == names
    code, out, _ = await asyncio.to_thread(run, "read", "~", environment={**ENVIRONMENT, **values})
    assert (code, len(out.splitlines())) == (0, 2)
    process.send_signal(signal.SIGINT)
    _, rest = await process.communicate()
    assert (process.returncode, rest) == (130, b"")


async def test_a_port_in_use_is_a_one_line_error() -> None:
    async with Sandbox() as sandbox:
        port = sandbox.url.rpartition(":")[2]
        code, _, err = await asyncio.to_thread(run, "sandbox", "--port", port)
    assert code == 1
    assert "address already in use" in err
    assert err.count("\n") == 1


def test_missing_dependencies_name_the_extra_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None; from aiopresence.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 1
    assert done.stderr == (
        "The aiopresence command requires: python -m pip install 'aiopresence[cli]'\n"
    )


def test_help_does_not_import_the_library() -> None:
    code = "import sys; from aiopresence.cli.app import app; app(['--help'], standalone_mode=False)"
    code += "; print([m for m in sys.modules if m in ('aiohttp', 'aiopresence.session')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.endswith("[]\n")


# These run until Ctrl-C, or need a terminal or a login: their own tests run them.
ENDLESS = ("sandbox", "watch", "poll", "events", "login", "logout", "whoami")


@pytest.mark.parametrize("example", [example for _, example in COMMANDS])
def test_the_example_in_each_help_runs(example: str, tmp_path: Path) -> None:
    program, name, *arguments = shlex.split(example)
    help_ = invoke(name, "--help")
    text = " ".join(help_.out.split())
    assert (program, help_.code) == ("aiopresence", 0)
    assert text.startswith(f"Usage: aiopresence {name} [OPTIONS]")
    assert f"Example: {example}" in text
    assert "Exit codes: 0 success, 1 something failed, 2 usage or settings error" in text
    assert "…" not in text
    if name not in ENDLESS:
        done = invoke(name, *arguments)
        assert (name, done.code) == (name, 0)
        assert len(done.out.splitlines()) >= 2
