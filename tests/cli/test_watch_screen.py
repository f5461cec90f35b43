"""Drawings of the watch screen. `python -m tests.support.pictures` saves the current ones."""

import attrs
import pytest
from rich.cells import cell_len
from rich.console import Console

from aiopresence import (
    Availability,
    DndStatus,
    GetPresenceInfo,
    PresenceStatus,
    TelephonyStatus,
)
from aiopresence.cli.state_filter import StateFilter
from aiopresence.cli.watch_screen.controls import Controls
from aiopresence.cli.watch_screen.keys import split_keys
from aiopresence.cli.watch_screen.model import Row, ScreenState, Sort
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


def filtered(words: str) -> StateFilter:
    return StateFilter(tuple(words.split(",")) if words else ())


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
    warned = ScreenState(rows, age=1.0, detailed=detailed, warning="外" * 300)
    typing = attrs.evolve(warned, is_typing=True, search="外" * 300, has_keys=True)
    keys = attrs.evolve(warned, warning="", first=99, has_keys=True, search="外")
    for state in (warned, typing, keys):
        lines = pictures.screen(size, state).rstrip("\n").split("\n")
        assert len(lines) <= max(3, size[1])
        assert max(cell_len(line) for line in lines) <= size[0]


def test_hidden_rows_are_counted() -> None:
    rows = [Row(str(n), str(n), "", AVAILABLE) for n in range(1_300)]
    assert "\n1-21 of 1,300  filter" in pictures.screen((80, 24), ScreenState(rows))
    assert " of " not in pictures.screen((80, 24), ScreenState(rows[:21]))
    assert "\n1,300 rows  filter" in pictures.screen((80, 3), ScreenState(rows))


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        ("", ["2", "3", "5", "1", "4"]),
        ("available", ["1"]),
        ("ringing", ["2"]),
        ("ringing,on-call", ["2", "3"]),
        ("do-not-disturb", ["4"]),
        ("changed", ["3", "1"]),
        ("changed,ringing", ["2", "3", "1"]),
    ],
)
def test_filters_select_rows(chosen: str, ids: list[str]) -> None:
    assert shown(ScreenState(ROWS, filter=filtered(chosen))) == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", ["2", "3", "5", "1", "4"]),
        ("A", ["2", "3", "5", "1"]),
        ("ÄDA", ["2"]),
        ("10", ["3", "5", "1"]),
        ("4", ["4"]),
        ("la c", []),
    ],
)
def test_the_search_finds_names_and_numbers(text: str, ids: list[str]) -> None:
    assert shown(ScreenState(ROWS, search=text)) == ids


def test_the_search_ignores_case_and_accents() -> None:
    rows = [Row("1", "101", "Zoë STRAẞE"), Row("2", "102", "Łukasz"), Row("3", "103", "外出")]
    for text, ids in (("zoe", ["1"]), ("strasse", ["1"]), ("Zoe\u0308", ["1"]), ("出", ["3"])):
        assert shown(ScreenState(rows, search=text)) == ids
    assert shown(ScreenState(rows, search="a", filter=filtered("offline"))) == []


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        (Sort.NUMBER, ["2", "3", "5", "1", "4"]),
        (Sort.NAME, ["2", "1", "3", "5", "4"]),
        (Sort.STATUS, ["1", "3", "2", "4", "5"]),
        (Sort.CHANGED, ["3", "1", "2", "5", "4"]),
    ],
)
def test_rows_are_sorted(sort: Sort, ids: list[str]) -> None:
    assert shown(ScreenState(ROWS, sort=sort)) == ids


def test_names_are_sorted_without_their_accents() -> None:
    rows = [Row("1", "1", "Zoë"), Row("2", "2", "Élodie"), Row("3", "3", "emma"), Row("4", "4")]
    assert shown(ScreenState(rows, sort=Sort.NAME)) == ["2", "3", "1", "4"]


def test_the_header_counts_all_rows_despite_a_filter() -> None:
    state = ScreenState(ROWS, filter=filtered("do-not-disturb"))
    assert pictures.screen((80, 24), state).startswith(
        "5 extensions: 1 available, 1 on call, 1 ringing, 1 do not disturb "
    )


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
    assert ScreenState(rows).counts() == {
        Availability.ON_CALL: 1,
        Availability.DO_NOT_DISTURB: 3,
    }
    assert shown(ScreenState(rows, filter=filtered("on-call"))) == ["1"]
    assert shown(ScreenState(rows, filter=filtered("do-not-disturb"))) == ["2", "3", "4"]
    assert shown(ScreenState(rows, sort=Sort.STATUS)) == ["1", "2", "3", "4"]
    lines = pictures.screen((120, 24), ScreenState(rows)).splitlines()[2:6]
    assert ["on call" in line for line in lines] == [False, False, False, True]
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
    assert "Humming" in text
    asleep = attrs.evolve(tomorrow, telephony_status=TelephonyStatus.NO_CALL)
    assert "Asleep" in pictures.screen((80, 24), ScreenState([Row("1", "1", "", asleep)]))
    nothing = pictures.screen((80, 24), ScreenState([Row("1", "1", "", GetPresenceInfo())]))
    assert " unknown " in nothing.splitlines()[2] + " "


@pytest.mark.parametrize(
    ("size", "footer"),
    [
        (100, "22-42 of 1,300  f filter: all  s sort: number  / search: 10  ↑↓ scroll  q quit"),
        (60, "22-42 of 1,300  f filter: all  s sort: number  q quit"),
        (40, "22-42 of 1,300  f filter: all  q quit"),
        (20, "22-42 of 1,300  q qu"),
    ],
)
def test_the_footer_has_the_keys_that_fit(size: int, footer: str) -> None:
    rows = [Row(str(n), f"10{n}", "", AVAILABLE) for n in range(1_300)]
    state = ScreenState(rows, has_keys=True, first=21, search="10")
    assert pictures.screen((size, 24), state).splitlines()[-1] == footer


def test_the_text_that_is_typed_is_visible() -> None:
    state = ScreenState(
        ROWS, has_keys=True, search="外" * 50 + "\x1bzo", is_typing=True, warning="w"
    )
    for width in (10, 40):
        last = pictures.screen((width, 24), state).splitlines()[-1]
        assert "外\\x1bzo_" in last
    assert "Enter keeps, Esc clears" in pictures.screen((140, 24), state)


def test_scrolling_shows_other_rows_up_to_the_last() -> None:
    rows = [Row(str(n), str(n), "", AVAILABLE) for n in range(100)]
    for first, begins, ends in ((0, 0, 20), (1, 1, 21), (79, 79, 99), (500, 79, 99)):
        lines = pictures.screen((60, 24), ScreenState(rows, first=first)).splitlines()
        assert (lines[2].split()[0], lines[-2].split()[0]) == (str(begins), str(ends))
        assert lines[-1].startswith(f"{begins + 1}-{ends + 1} of 100")
    # Side by side: both parts go on.
    lines = pictures.screen((200, 24), ScreenState(rows, first=1)).splitlines()
    assert lines[2].split()[0] == "1"
    assert f" │   {1 + 21} " in lines[2]


def press(controls: Controls, *keys: str) -> None:
    for key in keys:
        controls.press(key, {Availability.BUSY, Availability.AVAILABLE})


def test_keys_scroll_within_the_rows() -> None:
    controls = Controls(StateFilter(), Sort.NUMBER)
    controls.set_drawn(0, 10, 25)
    for key, first in (
        ("up", 0), ("down", 1), ("pagedown", 11), ("pagedown", 15), ("down", 15),
        ("pageup", 5), ("home", 0), ("end", 15), ("up", 14),
    ):  # fmt: skip
        press(controls, key)
        assert (key, controls.first) == (key, first)
    press(controls, "s")
    assert (controls.sort, controls.first) == (Sort.NAME, 0)
    controls.set_drawn(0, 30, 25)
    press(controls, "end", "down", "pagedown")
    assert controls.first == 0


def test_the_key_f_offers_what_extensions_have() -> None:
    controls = Controls(filtered("on-call,ringing"), Sort.NUMBER)
    seen = []
    for _ in range(5):
        press(controls, "f")
        seen.append(str(controls.filter))
    assert seen == ["all", "available", "busy", "changed", "all"]


def test_keys_type_the_search() -> None:
    controls = Controls(StateFilter(), Sort.NUMBER)
    controls.set_drawn(7, 10, 25)
    press(controls, "/", *"Zoëq", "backspace", " ", "f", "s", "/")
    assert (controls.search, controls.is_typing, controls.first) == ("Zoë fs/", True, 0)
    controls.set_drawn(0, 10, 25)
    press(controls, "down", "\x07", "enter", "s")
    assert (controls.search, controls.is_typing, controls.first) == ("Zoë fs/", False, 0)
    assert (controls.sort, str(controls.filter)) == (Sort.NAME, "all")
    press(controls, "/", "x")
    assert controls.search == "Zoë fs/x"
    press(controls, "escape", "backspace")
    assert (controls.search, controls.is_typing, controls.is_quit) == ("", False, False)
    press(controls, "/", "x", "enter", "escape", "q")
    assert (controls.search, controls.is_quit) == ("", True)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("fq", ["f", "q"]),
        ("\x1b[A\x1bOB\x1b[5~\x1b[6~", ["up", "down", "pageup", "pagedown"]),
        ("\x1b[H\x1bOF\x1b[1~\x1b[4~", ["home", "end", "home", "end"]),
        ("\x1b[1;5A\x1b[15~\x1b[<0;1;1M\x1bOPx", ["x"]),
        ("\x1bq\x1b\x1b[A", ["escape", "q", "escape", "up"]),
        ("\r\n\x7f\b ë外", ["enter", "enter", "backspace", "backspace", " ", "ë", "外"]),
    ],
)
def test_what_a_terminal_sends_is_split_into_keys(text: str, keys: list[str]) -> None:
    assert split_keys(text, is_complete=False) == (keys, "")
    read, rest = list[str](), ""
    for each in text:
        more, rest = split_keys(rest + each, is_complete=False)
        read += more
    assert (read, rest) == (keys, "")


def test_an_escape_is_a_key_if_nothing_follows() -> None:
    assert split_keys("a\x1b", is_complete=False) == (["a"], "\x1b")
    assert split_keys("\x1b", is_complete=True) == (["escape"], "")


def test_a_search_without_matches_says_so() -> None:
    assert "No extension matches the search." in pictures.screen(
        (80, 24), ScreenState(ROWS, search="x")
    )


def test_a_filter_without_matches_says_so() -> None:
    assert "No extension matches the filter" in pictures.screen(
        (80, 24), ScreenState(ROWS[:1], filter=filtered("do-not-disturb"))
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0s"), (59.9, "59s"), (60, "1m"), (7199, "1h"), (86400, "1d"), (1e9, "999d")],
)
def test_durations_have_at_most_four_characters(seconds: float, text: str) -> None:
    assert duration(seconds) == text
