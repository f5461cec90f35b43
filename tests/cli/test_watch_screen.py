"""Drawings of the watch screen. `python -m tests.support.pictures` saves the current ones."""

import attrs
import pytest
from rich.cells import cell_len
from rich.console import Console

from aiopresence import (
    DndStatus,
    GetPresenceInfo,
    PresenceStatus,
    TelephonyStatus,
)
from aiopresence.cli.watch_screen.model import Filter, Row, ScreenState, Sort
from aiopresence.cli.watch_screen.render import FADE_SECONDS, duration, render
from tests.support import pictures

AVAILABLE = GetPresenceInfo(presence_status=PresenceStatus.AVAILABLE)
RINGING = GetPresenceInfo(
    presence_status=PresenceStatus.BUSY, telephony_status=TelephonyStatus.RINGING
)
TALKING = GetPresenceInfo(
    presence_status=PresenceStatus.BUSY, telephony_status=TelephonyStatus.CALL_CONNECTED
)
DND = GetPresenceInfo(
    presence_status=PresenceStatus.OFFLINE, dnd_status=DndStatus.DO_NOT_ACCEPT_ANY_CALLS
)
ROWS = [
    Row("1", "103", "bela", AVAILABLE, changed_at=5.0),
    Row("2", "20", "Ada", RINGING),
    Row("3", "101", "Carla", TALKING, changed_at=9.0),
    Row("4", "", "", DND),
    Row("5", "102", "Dana", None, error="gone"),
]


def shown(state: ScreenState) -> list[str]:
    return [row.id for row in state.visible_rows()]


def drawn(state: ScreenState, now: float, size: tuple[int, int] = (80, 24)) -> str:
    """Return a drawing with the escape sequences of its colors."""
    console = Console(
        width=size[0], height=size[1], force_terminal=True, color_system="256", _environ={}
    )
    with console.capture() as capture:
        console.print(render(state, size, now))
    return capture.get()


async def test_screens_match_the_saved_ones() -> None:
    for name, (size, state) in (await pictures.states()).items():
        kept = (pictures.HERE / "screens" / f"{name}.txt").read_text()
        assert pictures.screen(size, state) == kept, name


async def test_the_pictures_of_the_readme_are_current() -> None:
    kept = pictures.PICTURES
    for name, svg in (
        ("watch", await pictures.watch_picture()),
        ("read", await pictures.read_picture()),
    ):
        assert svg == (kept / f"{name}.svg").read_text(), name
        assert len(svg.encode()) < 60_000


@pytest.mark.parametrize("size", [(1, 1), (10, 3), (40, 2), (80, 24), (131, 40), (200, 60)])
@pytest.mark.parametrize("detailed", [False, True])
def test_a_drawing_does_not_exceed_the_terminal(size: tuple[int, int], detailed: bool) -> None:
    rows = [Row(str(n), str(n), "外出中 🍜" * 5, AVAILABLE) for n in range(500)]
    text = pictures.screen(size, ScreenState(rows, age=1.0, detailed=detailed, warning="外" * 300))
    lines = text.rstrip("\n").split("\n")
    assert len(lines) <= max(3, size[1])
    assert max(cell_len(line) for line in lines) <= size[0]


def test_hidden_rows_are_counted() -> None:
    rows = [Row(str(n), str(n), "", AVAILABLE) for n in range(1_300)]
    assert "\n… 1,279 more  filter" in pictures.screen((80, 24), ScreenState(rows))
    assert "more" not in pictures.screen((80, 24), ScreenState(rows[:21]))


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        (None, ["2", "3", "5", "1", "4"]),
        (Filter.AVAILABLE, ["1"]),
        (Filter.BUSY, ["2", "3"]),
        (Filter.OFFLINE, ["4"]),
        (Filter.ON_CALL, ["2", "3"]),
        (Filter.DND, ["4"]),
        (Filter.CHANGED, ["3", "1"]),
    ],
)
def test_filters_select_rows(chosen: Filter | None, ids: list[str]) -> None:
    assert shown(ScreenState(ROWS, filter=chosen)) == ids


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        (Sort.NUMBER, ["2", "3", "5", "1", "4"]),
        (Sort.NAME, ["2", "1", "3", "5", "4"]),
        (Sort.STATUS, ["1", "2", "3", "4", "5"]),
        (Sort.CHANGED, ["3", "1", "2", "5", "4"]),
    ],
)
def test_rows_are_sorted(sort: Sort, ids: list[str]) -> None:
    assert shown(ScreenState(ROWS, sort=sort)) == ids


def test_the_header_counts_all_rows_despite_a_filter() -> None:
    assert ScreenState(ROWS, filter=Filter.DND).counts() == {
        "available": 1,
        "on a call": 1,
        "ringing": 1,
        "DND": 1,
        "offline": 1,
    }


IN_CONTACT_CENTRE = GetPresenceInfo(
    presence_status=PresenceStatus.BUSY,
    telephony_status=TelephonyStatus.NO_CALL,
    aggregated_telephony_status=TelephonyStatus.CALL_CONNECTED,
)
PERSONAL_DND = GetPresenceInfo(
    presence_status=PresenceStatus.BUSY,
    dnd_status=DndStatus.UNKNOWN,
    dnd_status_personal=DndStatus.DO_NOT_ACCEPT_ANY_CALLS,
)


def test_effective_statuses_are_counted_filtered_sorted_and_shown() -> None:
    rows = [
        Row("1", "105", "Ada", IN_CONTACT_CENTRE),
        Row("2", "102", "Bela", PERSONAL_DND),
        Row("3", "103", "Carla", attrs.evolve(PERSONAL_DND, dnd_status=None)),
        Row("4", "104", "Dana", attrs.evolve(PERSONAL_DND, dnd_status=DndStatus.TAKE_ALL_CALLS)),
    ]
    counts = ScreenState(rows).counts()
    assert (counts["on a call"], counts["ringing"], counts["DND"]) == (1, 0, 2)
    assert shown(ScreenState(rows, filter=Filter.ON_CALL)) == ["1"]
    assert shown(ScreenState(rows, filter=Filter.DND)) == ["2", "3"]
    assert shown(ScreenState(rows, sort=Sort.STATUS)) == ["1", "2", "3", "4"]
    lines = pictures.screen((120, 24), ScreenState(rows)).splitlines()[2:6]
    assert ["CallConnected" in line for line in lines] == [False, False, False, True]
    assert ["DND" in line for line in lines] == [True, True, False, False]


def test_a_change_is_highlighted_and_fades() -> None:
    state = ScreenState([Row("1", "101", "Ada", AVAILABLE, changed_at=10.0)])
    looks = [drawn(state, 10.0 + ago).split("\n")[2] for ago in (0.5, 2.0, 3.0, FADE_SECONDS)]
    assert len({line.partition(">")[0] for line in looks[:3]}) == 3
    assert all(">" in line for line in looks[:3])
    assert ">" not in looks[3]
    assert "48;5" not in looks[3]


def test_stale_rows_are_dim_and_marked() -> None:
    row = drawn(ScreenState([Row("1", "101", "Ada", AVAILABLE, is_stale=True)]), 0.0).split("\n")[2]
    assert row.startswith("\x1b[2m? 101")


def test_control_characters_are_escaped() -> None:
    evil = "\x1b[2Jx\ny"
    rows = [Row("1", evil, evil, GetPresenceInfo(message=evil), error=evil)]
    text = pictures.screen((80, 24), ScreenState(rows, warning=evil))
    assert "\x1b" not in text
    assert text.count("\n") == 24


def test_unknown_statuses_are_shown() -> None:
    tomorrow = GetPresenceInfo(
        presence_status=PresenceStatus("Asleep"), telephony_status=TelephonyStatus("Humming")
    )
    text = pictures.screen((80, 24), ScreenState([Row("1", "1", "", tomorrow)], sort=Sort.STATUS))
    assert "Asleep" in text
    assert "Humming" in text


def test_a_filter_without_matches_says_so() -> None:
    assert "No extension matches the filter" in pictures.screen(
        (80, 24), ScreenState(ROWS[:1], filter=Filter.DND)
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0s"), (59.9, "59s"), (60, "1m"), (7199, "1h"), (86400, "1d"), (1e9, "999d")],
)
def test_durations_have_at_most_four_characters(seconds: float, text: str) -> None:
    assert duration(seconds) == text
