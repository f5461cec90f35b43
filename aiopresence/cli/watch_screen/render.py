"""The live board as it is drawn: a pure function of what is known, the size, and the time.

It makes rich's segments by itself: rich's tables would take most of a core at some pictures a
second. Nothing imports this module before there is something to draw.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from math import isfinite

import attrs
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.style import Style

from ..output import STYLES, cell
from .model import Row, State

Line = list[Segment]

# For so many seconds after its change a row looks like this.
FADES = (
    (1.0, "bright_white on grey39"),
    (2.5, "bright_white on grey27"),
    (4.0, "white on grey19"),
)
FADED = FADES[-1][0]
GAP = " │ "
_SHORT = {
    "NoCall": "",
    "TakeAllCalls": "",
    "DoNotAcceptAnyCalls": "DND",
    "DoNotAcceptDepartmentCalls": "no queues",
    "TakeDepartmentCallsOnly": "queues only",
}
_CONNECTION = {"live": "bold green", "waiting": "bold yellow", "stale": "bold red"}


@attrs.frozen
class Column:
    """A column of the board.

    Attributes:
        title: its heading.
        text: makes its cell of a row and the time.
        least: how wide it is at least.
        most: how wide it may become.
        rank: the higher, the sooner it is left out where there is no room.
    """

    title: str
    text: Callable[[Row, float], str]
    least: int
    most: int
    rank: int = 0


def _mark(row: Row, now: float) -> str:
    if row.is_stale:
        return "?"
    return ">" if row.changed_at is not None and now - row.changed_at < FADED else ""


def _number(row: Row, _: float) -> str:
    return row.number or "-"


def _name(row: Row, _: float) -> str:
    return row.name or row.id


def _presence(row: Row, _: float) -> str:
    return (row.presence and row.presence.presence_status) or "-"


def _telephony(row: Row, _: float) -> str:
    status = (row.presence and row.presence.effective_telephony_status) or ""
    return _SHORT.get(status, status)


def _dnd(row: Row, _: float) -> str:
    status = (row.presence and row.presence.effective_dnd_status) or ""
    return _SHORT.get(status, status)


def _call(row: Row, _: float) -> str:
    """Tell who is at the other end of the latest call that goes on."""
    calls = (row.presence and row.presence.active_calls) or ()
    call = next((each for each in calls if each.telephony_status != "NoCall"), None)
    if call is None:
        return ""
    if call.direction == "Outbound":
        return f"to {call.to_name or call.to or '?'}"
    return f"from {call.from_name or call.from_ or '?'}"


def _message(row: Row, _: float) -> str:
    return row.error or (row.presence and row.presence.message) or ""


def _since(row: Row, now: float) -> str:
    return "" if row.changed_at is None else f"{duration(now - row.changed_at):>4}"


def duration(seconds: float) -> str:
    """Write a time in at most 4 characters."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{min(999, int(seconds // size))}{unit}"
    return f"{max(0, int(seconds))}s"


_CALL = Column("CALL", _call, 14, 24, 2)
_COLUMNS = (
    Column("", _mark, 1, 1),
    Column("EXT", _number, 5, 6),
    Column("NAME", _name, 14, 20, 3),
    Column("PRESENCE", _presence, 9, 9),
    Column("TELEPHONY", _telephony, 13, 13, 4),
    Column("DND", _dnd, 11, 11, 5),
    _CALL,
    Column("MESSAGE", _message, 8, 75, 6),
    Column(" AGO", _since, 4, 4, 1),
)


class Picture:
    """Lines that are drawn as they are."""

    def __init__(self, lines: list[Line]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for number, line in enumerate(self._lines):
            if number:
                yield Segment.line()
            yield from line


def render(state: State, size: tuple[int, int], now: float) -> Picture:
    """Draw the board.

    Args:
        state: what is known, and how it is to be shown.
        size: columns and lines of the terminal.
        now: this moment, in monotonic seconds.
    """
    width, height = size[0], max(3, size[1])
    rows = state.chosen()
    body = height - 3
    panels = _panels(len(rows), body, width, state.detailed)
    layout = _layout((width - len(GAP) * (panels - 1)) // panels, state.detailed)
    shown = rows[: body * panels]
    cells = [_row(row, now, layout) for row in shown]
    lines = [_header(state, width), _beside([_titles(layout)] * panels, width)]
    lines += [_beside(cells[n::body], width) for n in range(min(body, len(cells)))]
    if not cells and body:
        lines.append(_fit([Segment("  " + _nothing(state), Style.parse("dim"))], width))
    lines += [_fit([], width)] * (height - 1 - len(lines))
    return Picture([*lines, _footer(state, len(rows) - len(shown), width)])


@lru_cache(64)
def _layout(width: int, detailed: bool) -> tuple[tuple[Column, int], ...]:
    """Choose the columns for a width, and how wide each is."""
    columns = [each for each in _COLUMNS if detailed or each is not _CALL]
    while sum(each.least + 1 for each in columns) - 1 > width and len(columns) > 1:
        columns.remove(max(columns, key=lambda each: each.rank))
    spare = max(0, width - sum(each.least + 1 for each in columns) + 1)
    widths = []
    for each in columns:
        more = min(spare, each.most - each.least)
        spare -= more
        widths.append(each.least + more)
    return tuple(zip(columns, widths, strict=True))


def _panels(rows: int, body: int, width: int, detailed: bool) -> int:
    """Tell how many rows stand side by side: no more than it takes to show all."""
    # A message is what nobody misses who sees twice as many people instead.
    narrow = [c for c in _COLUMNS if c.title != "MESSAGE" and (detailed or c is not _CALL)]
    least = sum(each.least + 1 for each in narrow) - 1
    needed = -(-rows // max(1, body))
    return max(1, min(needed, (width + len(GAP)) // (least + len(GAP))))


def _titles(layout: tuple[tuple[Column, int], ...]) -> Line:
    text = " ".join(set_cell_size(column.title, width) for column, width in layout)
    return [Segment(text, Style.parse("bold"))]


def _row(row: Row, now: float, layout: tuple[tuple[Column, int], ...]) -> Line:
    ago = FADED if row.changed_at is None else now - row.changed_at
    look = "dim" if row.is_stale else next((s for until, s in FADES if ago < until), "")
    return _segments(tuple((column.text(row, now), width) for column, width in layout), look)


@lru_cache(8192)
def _segments(cells: tuple[tuple[str, int], ...], look: str) -> Line:
    """Write the cells of a row; neighbours of the same colour are one segment."""
    line: Line = []
    for text, width in cells:
        style = Style.parse(f"{look} {STYLES.get(text, '')}".strip())
        padded = _shorten(cell(text), width)
        if not line:
            line.append(Segment(padded, style))
        elif line[-1].style == style:
            line[-1] = Segment(f"{line[-1].text} {padded}", style)
        else:
            line += [Segment(" ", Style.parse(look)), Segment(padded, style)]
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


def _header(state: State, width: int) -> Line:
    """Tell how many are how, and on the right how far that can be trusted."""
    age = f" {duration(state.age)}" if isfinite(state.age) else ""
    right = f" {state.connection}{age}"
    room = max(0, width - len(right))
    counts = ", ".join(f"{number:,} {what}" for what, number in state.counts().items())
    total = f"{len(state.rows):,} extensions: "
    if len(total) + len(counts) > room:
        total = total.replace(" extensions", "")
    bold = Style.parse("bold")
    line = [Segment(total, bold), Segment(_shorten(counts, max(1, room - len(total))))]
    style = Style.parse(_CONNECTION.get(state.connection, ""))
    return _fit([*_fit(line, room), Segment(right, style)], width)


def _footer(state: State, more: int, width: int) -> Line:
    """Tell what is not shown, and how to change that or what is wrong."""
    line: Line = []
    if more:
        line.append(Segment(f"… {more:,} more  ", Style.parse("bold")))
    if state.remark:
        line.append(Segment(_shorten(cell(state.remark), width), Style.parse("yellow")))
        return _fit(line, width)
    f, s, q = (" [f]", " [s]", "  quit [q]") if state.has_keys else ("", "", "")
    text = f"filter: {state.filter or 'all'}{f}  sort: {state.sort}{s}{q}"
    line.append(Segment(text, Style.parse("dim")))
    return _fit(line, width)


def _nothing(state: State) -> str:
    if state.rows:
        return "Nobody is like that now."
    return "Nothing is known yet." if state.connection == "waiting" else "There is nobody."
