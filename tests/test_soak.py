"""The checks of the soak test notice each kind of defect, and its schedule is that of its seed."""

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from aiopresence import (
    ConnectionFailed,
    GetPresenceInfo,
    NotFound,
    Outcome,
    PresenceSession,
    from_dict,
)
from aiopresence.sandbox import Change, Sandbox
from tests.soak import checks, leaks, report, sandboxes, schedule, states
from tests.soak.activity import Activity
from tests.soak.reads import read_once
from tests.soak.report import Result
from tests.soak.tally import DEFECTS, Tallies, Tally

BEFORE, AFTER = {"1": 5, "2": 7}, {"1": 6, "2": 7}
POSSIBLE = {
    "reads": ["500", "cancelled call"],
    "tight": ["500"],
    "patient": ["429 without Retry-After"],
    "other": ["500", "401"],
}


def record(id_: str, number: int, **others: Any) -> GetPresenceInfo:
    fields = states.fields(number) | others
    camel = {
        "".join([first, *(word.title() for word in more)]): value
        for (first, *more), value in ((name.split("_"), value) for name, value in fields.items())
    }
    return from_dict(GetPresenceInfo, {"extension": {"id": id_}, **camel})


def read(id_: str, number: int, **others: Any) -> Outcome[GetPresenceInfo]:
    return Outcome(id_, 200, record(id_, number, **others))


def failed(id_: str) -> Outcome[GetPresenceInfo]:
    return Outcome(id_, None, error=ConnectionFailed("no connection"))


GOOD, OTHER = read("1", 5), read("2", 7)
ONE_WRONG = {"answered": 1, "wrong": 1}


@pytest.mark.parametrize(
    ("outcomes", "counts"),
    [
        pytest.param([GOOD, OTHER], {"answered": 2}, id="good"),
        pytest.param([read("1", 6), OTHER], {"answered": 2}, id="changed-meanwhile"),
        pytest.param([GOOD], {"answered": 1, "lost": 1}, id="missing"),
        pytest.param([GOOD, OTHER, OTHER], {"answered": 2, "duplicated": 1}, id="twice"),
        pytest.param([OTHER, GOOD], {"wrong": 2}, id="order"),
        pytest.param([GOOD, Outcome("2", 200, record("1", 5))], ONE_WRONG, id="another"),
        pytest.param([read("1", 4), OTHER], ONE_WRONG, id="older"),
        pytest.param([GOOD, read("2", 8)], ONE_WRONG, id="never-was"),
        pytest.param([GOOD, read("2", 7, user_status="Offline")], ONE_WRONG, id="mixed"),
        pytest.param([GOOD, failed("2")], {"answered": 1, "lost": 1}, id="error"),
    ],
)
def test_a_bulk_read_is_checked(
    outcomes: list[Outcome[GetPresenceInfo]], counts: dict[str, int]
) -> None:
    tally = Tally("lists")
    checks.check_outcomes(tally, ["1", "2"], outcomes, checks.Call(BEFORE, AFTER, explained=False))
    assert tally.counts == counts
    assert tally.is_clean is not bool(tally.examples)


def test_an_error_that_a_fault_explains_and_an_unknown_id_are_no_defects() -> None:
    tally, call = Tally("lists"), checks.Call(BEFORE, AFTER, explained=True)
    unknown: Outcome[GetPresenceInfo] = Outcome("3", 404, error=NotFound(404))
    checks.check_outcomes(tally, ["1", "2", "3"], [GOOD, failed("2"), unknown], call)
    assert tally.counts == {"answered": 2, "failed": 1}


def test_what_a_follower_shows_never_goes_back() -> None:
    latest = checks.Latest(Tally("board"))
    for number in (3, 4, 4):
        latest.see("1", number, newest=4)
    assert latest.tally.is_clean
    latest.see("1", 3, newest=4)
    latest.see("1", 5, newest=4)
    assert latest.tally.counts == {"wrong": 2}


def test_each_notification_arrives_once() -> None:
    events = checks.Deliveries(Tally("events"))
    events.send("1", 1, 0.0)  # Before it follows: may arrive.
    events.is_open = True
    for number in (2, 3, 4, 5):
        events.send("1", number, float(number))
    for number in (1, 2, 2, 9):
        events.arrive("1", number, 6.0)
    assert events.tally.counts == {"requested": 4, "answered": 1, "duplicated": 1, "wrong": 1}
    assert events.overdue(since=3.5) == 1
    events.lose(since=3.5)
    assert events.tally.counts["lost"] == 1


def test_a_resync_covers_what_was_sent_before_it() -> None:
    events = checks.Deliveries(Tally("events"), is_open=True)
    events.send("1", 1, 0.0)
    events.send("1", 2, 0.0)
    events.cover(1.0)
    events.arrive("1", 2, 2.0)
    assert not events.overdue(since=9.0)
    assert events.tally.counts == {"requested": 2, "failed": 2}


def test_a_state_that_is_old_for_long_is_stale() -> None:
    tally = Tally("board")
    checks.check_view(tally, {"1": 5, "2": 8, "3": None}, {"1": 6, "2": 7, "3": 1, "4": 1})
    assert tally.counts == {"requested": 4, "answered": 1, "stale": 3}


def test_memory_that_grows_is_a_leak() -> None:
    tally = Tally("process")
    assert checks.check_memory(tally, [50.0] * 100, 8.0) is None  # too short
    assert checks.check_memory(tally, [30.0] * 60 + [50.0] * 120, 8.0) == 0.0
    assert tally.is_clean
    assert checks.check_memory(tally, [50.0] * 120 + [60.0] * 60, 8.0) == 10.0
    assert tally.counts == {"leaked": 1}


def test_open_sockets_threads_and_files_are_leaks(tmp_path: Path) -> None:
    tally, end = Tally("process"), threading.Event()
    thread = threading.Thread(target=end.wait)
    before = leaks.resources(tmp_path)
    thread.start()
    (tmp_path / "left").touch()
    with socket.socket():
        checks.check_leaks(tally, before, leaks.resources(tmp_path))
    end.set()
    thread.join()
    found = {example.rpartition(": ")[2] for example in tally.examples}
    assert found == {"1 sockets", "1 threads", "1 temporary files"}


async def test_tasks_that_go_on_are_those_of_the_activity_that_has_begun_them() -> None:
    tasks, end = leaks.Tasks(), asyncio.Event()

    async def leave_one() -> "asyncio.Task[Any]":
        return asyncio.create_task(end.wait())

    left = await tasks.start("board", leave_one())
    assert tasks.running() == {"board": 1}
    end.set()
    await left
    assert not tasks.running()


def test_the_seed_alone_decides_the_schedule() -> None:
    first, again, other = (schedule.rounds(180.0, seed, POSSIBLE) for seed in (1, 1, 2))
    assert first == again != other
    assert [each.end for each in first] == [60.0, 120.0, 180.0]
    for each in first:
        assert {step.account for step in each.steps} <= POSSIBLE.keys()
        assert all(each.end - 60.0 < step.at < each.end - 20.0 for step in each.steps)


def test_the_first_round_has_each_kind_of_fault_for_each_kind_of_server() -> None:
    [only] = schedule.rounds(5.0, 1, POSSIBLE)
    places = {(step.kind, step.account in schedule.ALIKE) for step in only.steps}
    assert places >= {("500", True), ("500", False), ("401", False), ("cancelled call", True)}
    assert ("429 without Retry-After", False) in places


async def count_reads(sandbox: Sandbox, tallies: Tallies) -> Tally:
    account = sandboxes.new_account("reads", sandbox, tallies, 1)
    account.advance(account.ids[0])
    async with PresenceSession(sandbox.grant, server=sandbox.url, attempts=1) as session:
        activity = Activity(
            "reads", account, session, tallies.of("reads"), read_once, account.random
        )
        for _ in range(3):
            await read_once(activity)
    return activity.tally


async def test_a_server_that_shows_an_old_state_is_noticed() -> None:
    async with Sandbox(3) as sandbox:
        assert (await count_reads(sandbox, Tallies())).counts == {"requested": 3, "answered": 3}
    async with Sandbox(3) as sandbox:
        old = sandbox.faults.add(
            Change(lambda body: body.replace(b'"message":"2"', b'"message":"1"')), path="/presence"
        )
        tally = await count_reads(sandbox, Tallies())
        assert old.fired == 1
        assert tally.counts == {"requested": 3, "answered": 2, "wrong": 1}


@pytest.mark.parametrize("column", DEFECTS)
def test_a_defect_fails_the_run_and_is_shown_with_seed_and_actions(column: str) -> None:
    tallies = Tallies()
    result = Result(60.0, 7, tallies, [], None, complete=True, notes=[])
    assert "Seed 7, 60 s: passed." in report.text(result)
    tallies.act("live: connection reset")
    tallies.of("events").defect(column, "an example")
    assert not result.is_good
    text = report.text(result)
    for part in (
        "Seed 7, 60 s: failed.",
        "live: connection reset",
        f"events: {column}: an example",
    ):
        assert part in text


def test_a_run_without_some_kind_of_fault_is_not_meaningful() -> None:
    tallies = Tallies()
    tallies.faults["500"] = 1
    missing = checks.unfired(tallies.faults, schedule.kinds(POSSIBLE))
    result = Result(60.0, 7, tallies, missing, None, complete=True, notes=[])
    assert not result.is_good
    assert "never fired: cancelled call, 429 without Retry-After, 401" in report.text(result)


def test_the_table_is_written_between_its_markers(tmp_path: Path) -> None:
    tallies = Tallies()
    tallies.of("lists").add("answered", 1234)
    result = Result(60.0, 7, tallies, [], None, complete=True, notes=[])
    readme = tmp_path / "README.md"
    readme.write_text(report.README.read_text())
    for _ in range(2):
        report.write_readme(result, "python -m tests.soak", "today", readme)
    text = readme.read_text()
    assert text.count("1,234") == 2  # its row and the total
    assert text.count("`python -m tests.soak`, today: passed.") == 1
    assert text.endswith("\n\n<!-- end of soak -->\n")
