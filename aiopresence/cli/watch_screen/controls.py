"""What the user has chosen with keys: filter, order, search text and position."""

from collections.abc import Collection, Sequence
from typing import Any

from ... import Availability
from ..state_filter import CHANGED, StateFilter
from .model import Sort


class Controls:
    """Changes with keys.

    Args:
        filter_: the initial filter.
        sort: the initial order.

    Attributes:
        filter: which rows are shown.
        sort: the order of the rows.
        search: the text that names or numbers must have; empty for all.
        is_typing: whether keys are added to the text.
        first: the index of the first row shown.
        is_quit: whether the user has quit.
    """

    def __init__(self, filter_: StateFilter, sort: Sort) -> None:
        self.filter, self.sort = filter_, sort
        self.search = ""
        self.is_typing = self.is_quit = False
        self.first = 0
        self._page, self._last_first = 1, 0

    def set_drawn(self, first: int, page: int, rows: int) -> None:
        """Set what was drawn: the first row, how many have a place, and how many there are."""
        self.first, self._page, self._last_first = first, page, max(0, rows - page)

    def press(self, key: str, present: Collection[Availability]) -> None:
        """Change what the key changes.

        Args:
            key: a character, or the name of a key as in keys.py.
            present: the availabilities that extensions have now.
        """
        if self._scrolls(key):
            return
        if key == "escape":
            self._search_for("")
            self.is_typing = False
        elif self.is_typing:
            self._type(key)
        elif key == "q":
            self.is_quit = True
        elif key == "/":
            self.is_typing = True
        elif key == "f":
            words = [each for each in (*Availability, CHANGED) if each in (*present, CHANGED)]
            self.filter = _next([StateFilter(), *(StateFilter((w,)) for w in words)], self.filter)
            self.first = 0
        elif key == "s":
            self.sort = _next([*Sort], self.sort)
            self.first = 0

    def _scrolls(self, key: str) -> bool:
        steps = {
            "up": -1,
            "down": 1,
            "pageup": -self._page,
            "pagedown": self._page,
            "home": -self.first,
            "end": self._last_first,
        }
        if key not in steps:
            return False
        self.first = max(0, min(self.first + steps[key], self._last_first))
        return True

    def _type(self, key: str) -> None:
        if key == "enter":
            self.is_typing = False
        elif key == "backspace":
            self._search_for(self.search[:-1])
        elif len(key) == 1 and key.isprintable():
            self._search_for(self.search + key)

    def _search_for(self, text: str) -> None:
        if text != self.search:
            self.search, self.first = text, 0


def _next(choices: Sequence[Any], current: Any) -> Any:
    """Return the choice after the current one; the first if that is none of them."""
    return choices[(choices.index(current) + 1) % len(choices) if current in choices else 0]
