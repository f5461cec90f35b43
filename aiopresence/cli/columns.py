"""Column widths of tables, and fitting text into them."""

from collections.abc import Mapping

import attrs

GAP = " "
# Colors of statuses in tables and on the watch screen.
STATUS_STYLES = {
    "Available": "green",
    "Busy": "yellow",
    "Offline": "dim",
    "Ringing": "bold yellow",
    "CallConnected": "yellow",
    "OnHold": "magenta",
    "DoNotAcceptAnyCalls": "red",
    "DND": "red",
    # Availabilities.
    "available": "green",
    "on call": "yellow",
    "ringing": "bold yellow",
    "on hold": "magenta",
    "in meeting": "yellow",
    "do not disturb": "red",
    "busy": "yellow",
    "offline": "dim",
    "on-call": "yellow",
    "on-hold": "magenta",
    "in-meeting": "yellow",
    "do-not-disturb": "red",
    "✓": "green",
    "✗": "bold red",
}


@attrs.frozen
class Column:
    """One column of a table.

    Attributes:
        width: the width in a pipe, and on a terminal that is wide enough.
        least: the minimum width; longer text is cut. None: the column does not shrink.
        drop: on a terminal that is too narrow, columns with the highest number are omitted first;
            0 is never omitted.
        heading: the heading in tables; None for the column's name. CSV always uses the name.
    """

    width: int
    least: int | None = None
    drop: int = 0
    heading: str | None = None

    @property
    def narrow(self) -> int:
        """The minimum width."""
        return self.width if self.least is None else self.least


def full_widths(columns: Mapping[str, Column]) -> dict[str, int]:
    """Return the full width of each column."""
    return {name: column.width for name, column in columns.items()}


def fit_columns(columns: Mapping[str, Column], available: int) -> dict[str, int]:
    """Choose columns and their widths for a terminal that is `available` cells wide."""
    chosen = dict(columns)
    while _total(chosen) > available and any(column.drop for column in chosen.values()):
        del chosen[max(chosen, key=lambda name: chosen[name].drop)]
    spare = available - _total(chosen)
    widths = {}
    for name, column in chosen.items():
        extra = max(0, min(column.width - column.narrow, spare))
        widths[name] = column.narrow + extra
        spare -= extra
    return widths


def _total(columns: Mapping[str, Column]) -> int:
    return sum(column.narrow for column in columns.values()) + len(GAP) * (len(columns) - 1)


def pad(text: str, width: int) -> str:
    """Pad text with spaces to a width in cells; East Asian letters and emoji take two cells."""
    return text + " " * (width - cell_width(text))


def cut(text: str, width: int) -> str:
    """Cut text to a width in cells; the last cell of cut text is an ellipsis."""
    if cell_width(text) <= width:
        return text
    start = ""
    for character in text:
        if cell_width(start + character) >= width:
            break
        start += character
    return start + "…"


def cell_width(text: str) -> int:
    """Return the width of text on a terminal, in cells."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
