"""Running the command: its help, dependencies, credentials, and the sandbox."""

import asyncio
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aiopresence.cli.app import COMMANDS
from aiopresence.sandbox import Sandbox
from tests.support.cli_calls import credentials, invoke
from tests.support.terminal import COMMAND, environment, run


@pytest.mark.parametrize(
    ("route", "requests"),
    [
        ((), 3),
        (("--route", "account"), 3),
        (("--route", "fastest"), 3),
        (("--route=batches",), 100),
    ],
)
def test_read_reports_how_many_requests_a_route_takes(
    tmp_path: Path, route: tuple[str, ...], requests: int
) -> None:
    done = run("read", "--sandbox", "3000", *route, env=environment(tmp_path))
    assert (done.code, len(done.out.splitlines())) == (0, 3001)
    assert done.err.startswith(f"Read 3,000 extensions in {requests} requests, ")


def test_without_arguments_it_prints_its_help(tmp_path: Path) -> None:
    done = run(env=environment(tmp_path))
    assert (done.code, done.err) == (0, "")
    assert done.out == run("--help", env=environment(tmp_path)).out
    assert "Read, change and watch RingCentral presence." in done.out.splitlines()[2]


def test_the_package_can_be_run_as_a_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aiopresence", "read", "--help"],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: python -m aiopresence read [OPTIONS] [IDS]...")


async def test_credentials_come_from_the_environment(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        env = environment(tmp_path, **credentials(sandbox))
        done = await asyncio.to_thread(run, "read", "~", env=env)
    assert done.code == 0
    assert done.out.splitlines()[1].startswith("~ ")


async def test_sandbox_runs_until_ctrl_c(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "sandbox",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    lines = [(await process.stdout.readline()).decode() for _ in range(4)]
    await process.stderr.readline()
    names = ["RC_SERVER_URL", "RC_APP_CLIENT_ID", "RC_APP_CLIENT_SECRET", "RC_USER_JWT"]
    values = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
    assert list(values) == names
    done = await asyncio.to_thread(run, "read", "~", env=environment(tmp_path, **values))
    assert (done.code, len(done.out.splitlines())) == (0, 2)
    process.send_signal(signal.SIGINT)
    _, rest = await process.communicate()
    assert (process.returncode, rest) == (130, b"")


async def test_a_port_in_use_is_a_one_line_error(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        port = sandbox.url.rpartition(":")[2]
        done = await asyncio.to_thread(run, "sandbox", "--port", port, env=environment(tmp_path))
    assert done.code == 1
    assert "address already in use" in done.err
    assert done.err.count("\n") == 1


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


# These run until Ctrl-C, or need a terminal, a login or Redis: their own tests run them.
ENDLESS = (
    "sandbox",
    "serve",
    "watch",
    "poll",
    "events",
    "login",
    "logout",
    "whoami",
    "follow",
    "fleet",
)


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
