"""The commands that read call queues."""

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.cli_calls import Cli, commanding


@pytest.fixture
async def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Cli]:
    async with commanding(monkeypatch, tmp_path) as cli:
        yield cli


async def test_queue_members_and_queues_are_read(cli: Cli) -> None:
    queue = cli.sandbox.queue_ids[0]
    done = await cli("queue", queue, "--output", "json")
    members = json.loads(done.out)
    assert [each.keys() for each in members] == [
        {"member", "acceptQueueCalls", "acceptCurrentQueueCalls"}
    ] * len(members)
    own = cli.sandbox.extension_ids[0]
    mine = next(each for each in members if each["member"]["id"] == own)
    table = (await cli("queue", "--number", "120")).out.splitlines()
    assert table[0] == "ID           NAME                         NUMBER ANY-QUEUE THIS-QUEUE"
    assert len(table) == len(members) + 1
    rows = csv.DictReader(io.StringIO((await cli("queues", "~", "--output", "csv")).out))
    row = next(row for row in rows if row["id"] == queue)
    assert list(row) == [*("id", "name", "extensionNumber", "editableMemberStatus", "acceptCalls")]
    assert row["acceptCalls"] == str(mine["acceptCurrentQueueCalls"]).lower()
    assert (await cli("queues", own)).out == (await cli("queues", "--number", "101")).out


async def test_the_queues_of_the_account_are_listed(cli: Cli) -> None:
    documents = json.loads((await cli("queues", "-o", "json")).out)
    assert [each["id"] for each in documents] == [*cli.sandbox.queue_ids]
    assert {each["type"] for each in documents} == {"Department"}
    assert {"name", "extensionNumber", "status"} <= documents[0].keys()
    done = await cli("queues")
    header, *rows = done.out.splitlines()
    assert header.split() == ["ID", "NAME", "NUMBER", "STATUS"]
    first = documents[0]
    assert rows[0].split() == [
        *(first["id"], *first["name"].split(), first["extensionNumber"], "Enabled")
    ]
    assert done.err.startswith(f"Read {len(rows)} queues in 1 request")
    members = json.loads((await cli("queue", first["name"], "-o", "json")).out)
    assert len(members) == len(cli.sandbox._state.account.queues[first["id"]].members)


async def test_listing_queues_needs_the_directory(cli: Cli) -> None:
    cli.sandbox.forbid("ReadAccounts")
    done = await cli("queues")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("aiopresence: HTTP 403")
