"""The `limits` command."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aiopresence import PresenceSession
from aiopresence.transport.clock import Clock
from tests.support.cli_calls import Cli, commanding


@pytest.fixture
async def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Cli]:
    async with commanding(monkeypatch, tmp_path) as cli:
        yield cli


async def test_limits_sends_one_request_of_the_group_light(cli: Cli) -> None:
    done = await cli("limits", "--output", "json")
    auth, light = json.loads(done.out)
    assert light == {
        "group": "Light", "limit": 9000, "window": 60.0, "remaining": 8999, "blockedFor": 0.0,
    }  # fmt: skip
    assert auth["group"] == "Auth"
    assert [each.group for each in cli.sandbox.requests] == ["Auth", "Light"]


async def test_limits_reports_a_blocked_group_without_waiting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with commanding(monkeypatch, tmp_path, limits={}) as cli:
        monkeypatch.setattr(PresenceSession, "_clock", Clock())
        cli.sandbox.consume("Light", 51)
        done = await cli("limits", "--all", "--output", "csv")
    rows = [row.split(",") for row in done.out.splitlines()]
    assert (done.code, rows[0]) == (0, ["group", "limit", "window", "remaining", "blockedFor"])
    assert rows[1:] == [
        ["Auth", "5", "60", "4", "0"],
        ["Light", "50", "60", "0", rows[2][4]],
        ["Medium", "40", "60", "39", "0"],
        ["Heavy", "10", "60", "9", "0"],
    ]
    assert 58 <= int(rows[2][4]) <= 61
