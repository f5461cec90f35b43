"""Draw the watch screen: a pure function of its state, the terminal's size, and the time.

The lines are built from rich's segments: rich's tables would take most of a CPU core at several
drawings per second. This module is imported only when there is something to draw.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from math import isfinite

import attrs
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.style import Style

from ... import Availability
from ..columns import STATUS_STYLES
from ..conversion import cell
from ..rows import call_text, dnd_text
from .model import Row, ScreenState

Line = list[Segment]

# Styles of a row after its change, each until so many seconds have passed.
FADES = (
    (1.0, "bright_white on grey39"),
    (2.5, "bright_white on grey27"),
    (4.0, "white on grey19"),
)
FADE_SECONDS = FADES[-1][0]
GAP = " │ "
_CONNECTION = {"live": "bold green", "waiting": "bold yellow", "stale": "bold red"}


@attrs.frozen
class Column:
    """A column of the screen.

    Attributes:
        title: its heading.
        text: returns its cell for a row and the time.
        least: its minimum width.
        most: its maximum width.
        drop: columns with the highest number are omitted first on a narrow terminal.
    """

    title: str
    text: Callable[[Row, float], str]
    least: int
    most: int
    drop: int = 0


def _mark(row: Row, now: float) -> str:
    if row.is_stale:
        return "?"
    return ">" if row.changed_at is not None and now - row.changed_at < FADE_SECONDS else ""


def _number(row: Row, _: float) -> str:
    return row.number or "-"


def _name(row: Row, _: float) -> str:
    return row.name or row.id


def _status(row: Row, _: float) -> str:
    """Return the availability; if it is unknown, what RingCentral sent."""
    if row.presence is None:
        return "-"
    availability, phone = row.presence.availability, row.presence.effective_telephony_status
    if availability is not Availability.UNKNOWN:
        return availability.label
    is_idle = phone in (None, "NoCall")
    return (row.presence.presence_status if is_idle else phone) or availability.label


def _dnd(row: Row, _: float) -> str:
    return dnd_text(row.presence) if row.presence else ""


def _call(row: Row, _: float) -> str:
    return call_text(row.presence.active_calls if row.presence else None)


def _message(row: Row, _: float) -> str:
    return row.error or (row.presence and row.presence.message) or ""


def _since(row: Row, now: float) -> str:
    return "" if row.changed_at is None else f"{duration(now - row.changed_at):>4}"


def duration(seconds: float) -> str:
    """Return a duration as text of at most 4 characters."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{min(999, int(seconds // size))}{unit}"
    return f"{max(0, int(seconds))}s"


_CALL = Column("CALL", _call, 14, 24, 2)
_COLUMNS = (
    Column("", _mark, 1, 1),
    Column("EXT", _number, 5, 6),
    Column("NAME", _name, 14, 20, 1),
    Column("STATUS", _status, 14, 14),
    Column("DND", _dnd, 11, 11, 4),
    _CALL,
    Column("MESSAGE", _message, 8, 75, 5),
    Column(" AGO", _since, 4, 4, 3),
)


class Drawing:
    """Lines for rich to print.

    Attributes:
        first: the index of the first row shown, among those that pass the filter and the search.
        page: how many rows have a place.
        rows: how many pass.
    """

    def __init__(self, lines: list[Line], first: int, page: int, rows: int) -> None:
        self._lines = lines
        self.first, self.page, self.rows = first, page, rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for number, line in enumerate(self._lines):
            if number:
                yield Segment.line()
            yield from line


def render(state: ScreenState, size: tuple[int, int], now: float) -> Drawing:
    """Draw the screen.

    Args:
        state: what to show.
        size: columns and lines of the terminal.
        now: the time in monotonic seconds.
    """
    width, height = size[0], max(3, size[1])
    rows = state.visible_rows()
    body = height - 3
    panels = _panels(len(rows), body, width, state.detailed)
    layout = _layout((width - len(GAP) * (panels - 1)) // panels, state.detailed)
    page = body * panels
    first = max(0, min(state.first, len(rows) - page))
    cells = [_row(row, now, layout) for row in rows[first : first + page]]
    lines = [_header(state, width), _beside([_titles(layout)] * panels, width)]
    lines += [_beside(cells[n::body], width) for n in range(min(body, len(cells)))]
    if not cells and body:
        lines.append(_fit([Segment("  " + _empty_text(state), Style.parse("dim"))], width))
    lines += [_fit([], width)] * (height - 1 - len(lines))
    place = _place(first, len(cells), len(rows))
    return Drawing([*lines, _footer(state, place, width)], first, page, len(rows))


@lru_cache(64)
def _layout(width: int, detailed: bool) -> tuple[tuple[Column, int], ...]:
    """Choose the columns for a width, and the width of each."""
    columns = [each for each in _COLUMNS if detailed or each is not _CALL]
    while sum(each.least + 1 for each in columns) - 1 > width and len(columns) > 1:
        columns.remove(max(columns, key=lambda each: each.drop))
    spare = max(0, width - sum(each.least + 1 for each in columns) + 1)
    widths = []
    for each in columns:
        more = min(spare, each.most - each.least)
        spare -= more
        widths.append(each.least + more)
    return tuple(zip(columns, widths, strict=True))


def _panels(rows: int, body: int, width: int, detailed: bool) -> int:
    """Return how many panels to place side by side: no more than needed for all rows."""
    # Twice as many rows are worth more than the column with messages.
    narrow = [c for c in _COLUMNS if c.title != "MESSAGE" and (detailed or c is not _CALL)]
    least = sum(each.least + 1 for each in narrow) - 1
    needed = -(-rows // max(1, body))
    return max(1, min(needed, (width + len(GAP)) // (least + len(GAP))))


def _titles(layout: tuple[tuple[Column, int], ...]) -> Line:
    text = " ".join(set_cell_size(column.title, width) for column, width in layout)
    return [Segment(text, Style.parse("bold"))]


def _row(row: Row, now: float, layout: tuple[tuple[Column, int], ...]) -> Line:
    ago = FADE_SECONDS if row.changed_at is None else now - row.changed_at
    style = "dim" if row.is_stale else next((s for until, s in FADES if ago < until), "")
    return _segments(tuple((column.text(row, now), width) for column, width in layout), style)


@lru_cache(8192)
def _segments(cells: tuple[tuple[str, int], ...], row_style: str) -> Line:
    """Return the cells of a row; neighbors of the same style are one segment."""
    line: Line = []
    for text, width in cells:
        style = Style.parse(f"{row_style} {STATUS_STYLES.get(text, '')}".strip())
        padded = _shorten(cell(text), width)
        if not line:
            line.append(Segment(padded, style))
        elif line[-1].style == style:
            line[-1] = Segment(f"{line[-1].text} {padded}", style)
        else:
            line += [Segment(" ", Style.parse(row_style)), Segment(padded, style)]
    return line


def _shorten(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + "…"


def _beside(panels: Iterable[Line], width: int) -> Line:
    line: Line = []
    for panel in panels:
        if line:
            line.append(Segment(GAP, Style.parse("dim")))
        line += panel
    return _fit(line, width)


def _fit(line: Line, width: int) -> Line:
    return Segment.adjust_line_length(line, width)


def _header(state: ScreenState, width: int) -> Line:
    """Return the counts, and on the right the state of the connection and its age."""
    age = f" {duration(state.age)}" if isfinite(state.age) else ""
    right = f" {state.connection}{age}"
    available = max(0, width - len(right))
    counts = ", ".join(f"{number:,} {each.label}" for each, number in state.counts().items())
    total = f"{len(state.rows):,} extensions: "
    if len(total) + len(counts) > available:
        total = total.replace(" extensions", "")
    bold = Style.parse("bold")
    line = [Segment(total, bold), Segment(_shorten(counts, max(1, available - len(total))))]
    style = Style.parse(_CONNECTION.get(state.connection, ""))
    return _fit([*_fit(line, available), Segment(right, style)], width)


def _place(first: int, shown: int, rows: int) -> str:
    """Return which rows are shown; empty if all are."""
    if shown == rows:
        return ""
    return f"{first + 1:,}-{first + shown:,} of {rows:,}" if shown else f"{rows:,} rows"


def _footer(state: ScreenState, place: str, width: int) -> Line:
    """Return which rows are shown if not all, and the search, the warning, or what keys do."""
    line = [Segment(f"{place}  ", Style.parse("bold"))] if place else []
    left = width - sum(cell_len(each.text) for each in line)
    if state.is_typing:
        return _fit([*line, *_typed(state.search, left)], width)
    if state.warning:
        line.append(Segment(_shorten(cell(state.warning), width), Style.parse("yellow")))
        return _fit(line, width)
    line.append(Segment(_keys_text(state, bool(place), left), Style.parse("dim")))
    return _fit(line, width)


def _typed(search: str, width: int) -> Line:
    """Return the end of the text that is typed, which must be visible, and its keys."""
    help_ = "  Enter keeps, Esc clears"
    text = cell(search)
    while text and cell_len(text) > width - len("/_"):
        text = text[1:]
    return [Segment(f"/{text}_", Style.parse("bold")), Segment(help_, Style.parse("dim"))]


def _keys_text(state: ScreenState, can_scroll: bool, width: int) -> str:
    """Return filter, order, search and keys; without those that matter less if width is short."""
    search = f"search: {cell(state.search)}" if state.search else "search"
    # The key, the text, and whether it is shown when there are no keys.
    parts = [
        ("f", f"filter: {state.filter}", True),
        ("s", f"sort: {state.sort}", True),
        ("/", search, bool(state.search)),
        ("↑↓", "scroll", False),
        ("q", "quit", False),
    ]
    if not can_scroll:
        del parts[3]
    if not state.has_keys:
        return "  ".join(text for _, text, is_state in parts if is_state)
    texts = [f"{key} {text}" for key, text, _ in parts]
    while len(texts) > 1 and cell_len("  ".join(texts)) > width:
        del texts[-2]
    return "  ".join(texts)


def _empty_text(state: ScreenState) -> str:
    if state.rows:
        what = ["the filter"] * bool(state.filter.words) + ["the search"] * bool(state.search)
        return f"No extension matches {' and '.join(what)}."
    return "Loading…" if state.connection == "waiting" else "The account has no extensions."
