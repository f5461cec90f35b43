"""`-v` and `-vv`: what the library logs, on standard error."""

import asyncio
import re
from pathlib import Path

import pytest

from aiopresence.sandbox import Answer
from tests.support.cli_calls import commanding, credentials, slow_sandbox
from tests.support.terminal import COMMAND, Terminal, environment, run

TIME = r"aiopresence: \d\d:\d\d:\d\d "
REQUEST = re.compile(
    TIME + r"(GET|POST) /restapi/\S+( \(attempt \d\))?: HTTP 20\d in \d+\.\d{3} s \[request \S+\]"
)
LOGIN = re.compile(TIME + r"logged in; the access token is due for renewal in \d+ s")


@pytest.mark.parametrize("before", [["-v"], ["--verbose"], []])
@pytest.mark.parametrize("after", [["-v"], ["--verbose"], []])
async def test_verbose_stands_before_or_after_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: list[str], after: list[str]
) -> None:
    async with commanding(monkeypatch, tmp_path) as cli:
        done = await cli(*before, "whoami", *after, "--output", "json")
        assert done.code == 0
        lines = done.err.splitlines()
        assert len([line for line in lines if LOGIN.fullmatch(line)]) == bool(before or after)
        requests = [line for line in lines if REQUEST.fullmatch(line)]
        assert len(requests) == (len(cli.sandbox.requests) if before and after else 0)
        # The next call of the command, in the same process, starts anew.
        assert (await cli("whoami")).err == ""


async def test_twice_verbose_shows_each_request_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with commanding(monkeypatch, tmp_path) as cli:
        cli.sandbox.faults.add(Answer(503), path="/presence", times=1)
        ids = cli.sandbox.extension_ids
        done = await cli("-vv", "read", *ids[:40], "--output", "jsonl")
        assert (done.code, len(done.out.splitlines())) == (0, 40)
        lines = done.err.splitlines()
        assert len([line for line in lines if REQUEST.fullmatch(line)]) == 3
        assert f"GET /restapi/v1.0/account/~/extension/{ids[0]},{ids[1]},+28/presence" in done.err
        assert any(
            re.match(TIME + r"retrying GET \S+ in \d\.\d s \(attempt 2\): HTTP 503", line)
            for line in lines
        )
        for secret in (
            cli.sandbox.client_secret,
            cli.sandbox.jwt,
            *(str(r.token) for r in cli.sandbox.requests if r.token),
        ):
            assert secret not in done.err


async def test_without_verbose_nothing_is_logged_but_warnings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with commanding(monkeypatch, tmp_path) as cli:
        limited = Answer(429, headers={"Retry-After": "5", "X-Rate-Limit-Group": "light"})
        cli.sandbox.faults.add(limited, path="/presence", times=1)
        done = await cli("read", "~")
    assert done.code == 0
    assert done.err.splitlines()[0] == "aiopresence: HTTP 429: group Light is blocked for 6.0 s"
    assert "logged in" not in done.err
    assert "waiting" not in done.err


def test_in_a_pipe_rows_go_to_standard_output_and_the_log_to_standard_error(tmp_path: Path) -> None:
    done = run("read", "--sandbox", "100", "-vv", "--output", "jsonl", env=environment(tmp_path))
    assert done.code == 0
    assert all(line.startswith("{") for line in done.out.splitlines())
    *logged, summary = done.err.splitlines()
    assert all(REQUEST.fullmatch(line) or LOGIN.fullmatch(line) for line in logged)
    assert len(logged) >= 5
    assert summary.startswith("Read 100 extensions")


async def test_the_log_does_not_tear_a_progress_bar(tmp_path: Path) -> None:
    # The bar is shown after a second; the first request is sent alone.
    async with slow_sandbox(300, 1.1, *(n / 20 for n in range(9))) as sandbox:
        arguments = ("-vv", "read", *sandbox.extension_ids, "--all", "--route", "batches")
        env = environment(tmp_path, **credentials(sandbox))
        with Terminal(*arguments, env=env, size=(250, 400)) as terminal:
            assert await asyncio.to_thread(terminal.end) == 0
            lines = terminal.text.splitlines()
    logged = [line for line in lines if "aiopresence: " in line]
    assert len([line for line in logged if REQUEST.fullmatch(line)]) >= 10
    assert all(REQUEST.fullmatch(line) or re.match(TIME, line) for line in logged)
    assert not any("━" in line for line in lines)
    _, bar, after = terminal.raw.partition("━".encode())
    assert bar
    assert after.count(b"aiopresence: ") >= 8


def test_the_log_does_not_tear_the_screen_of_watch(tmp_path: Path) -> None:
    with Terminal("-vv", "watch", "--sandbox", "20", env=environment(tmp_path)) as terminal:
        terminal.until(lambda t: "20 extensions" in t.text and " live " in t.text)
        terminal.type("f")
        terminal.until(lambda t: "filter: all" not in t.text)
        assert "HTTP" not in terminal.text
        assert terminal.text.startswith("20 extensions")
        terminal.type("q")
        assert terminal.end() == 0


def test_the_log_of_watch_goes_to_a_file_if_standard_error_does(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = ("sh", "-c", 'exec "$@" 2>"$LOG"', "sh", *COMMAND)
    env = environment(tmp_path, LOG=str(log))
    with Terminal("-vv", "watch", "--sandbox", "20", env=env, command=command) as terminal:
        terminal.until(lambda _: log.exists() and "/presence: HTTP 200" in log.read_text())
        terminal.type("q")
        assert terminal.end() == 0
    lines = log.read_text().splitlines()
    assert [line for line in lines if REQUEST.fullmatch(line)]
    assert any(line.endswith("connected for events") for line in lines)
