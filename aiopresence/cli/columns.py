"""How wide the columns of a table are, and how much of a text fits into one."""

from collections.abc import Mapping, Sequence

import attrs

GAP = " "


@attrs.frozen
class Column:
    """One column of a table.

    Attributes:
        width: how wide it is where there is room, such as in a pipe.
        least: how narrow it may become, texts being cut then; None for not narrower.
        drop: on a terminal that is too narrow, the columns with the highest number are left out
            first; 0 is never left out.
        heading: what stands above it; None for its name. CSV has the name always.
    """

    width: int
    least: int | None = None
    drop: int = 0
    heading: str | None = None

    @property
    def narrow(self) -> int:
        """The least width."""
        return self.width if self.least is None else self.least


def full(columns: Mapping[str, Column]) -> dict[str, int]:
    """Give each column the width that it would like to have."""
    return {name: column.width for name, column in columns.items()}


def fit(columns: Mapping[str, Column], room: int) -> dict[str, int]:
    """Choose columns and widths for a terminal that is so many cells wide."""
    kept = dict(columns)
    while _total(kept) > room and any(column.drop for column in kept.values()):
        del kept[max(kept, key=lambda name: kept[name].drop)]
    left = room - _total(kept)
    widths = {}
    for name, column in kept.items():
        more = max(0, min(column.width - column.narrow, left))
        widths[name] = column.narrow + more
        left -= more
    return widths


def _total(columns: Mapping[str, Column]) -> int:
    return sum(column.narrow for column in columns.values()) + len(GAP) * (len(columns) - 1)


def pad(text: str, width: int) -> str:
    """Fill a text up with spaces. Letters of East Asia and emoji are two cells wide."""
    return text + " " * (width - cells(text))


def cut(text: str, width: int) -> str:
    """Shorten a text that is too wide, and show that it was."""
    if cells(text) <= width:
        return text
    kept = ""
    for character in text:
        if cells(kept + character) >= width:
            break
        kept += character
    return kept + "…"


def cells(text: str) -> int:
    """Give the width of a text on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def joined(texts: Sequence[str]) -> str:
    """Put the cells of a row together."""
    return GAP.join(texts).rstrip()
