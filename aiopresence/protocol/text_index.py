"""Find things by the texts that people type for them: whole or the beginning, in any spelling.

An index is a dict from texts to numbers, which stand for things, and a sorted list of the texts,
where those that begin with another one are neighbours. Sorting 100,000 texts takes some ten
milliseconds, in which the event loop would stand still: so slices of them are sorted, and merged.
"""

import unicodedata
from bisect import bisect_left
from collections.abc import Generator, Sequence
from heapq import merge
from typing import Any, TypeVar

S = TypeVar("S", bound=Any)

# Items that are sorted, or merged, in one turn of the event loop: about a millisecond. A guess.
ITEMS_PER_SLICE = 1000
# Letters with a stroke, and the like, are no letters with an accent in Unicode.
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe"})


def fold(text: str) -> str:
    """Return a text without differences of case, accents, width and blanks."""
    if text.isascii():
        return " ".join(text.lower().split())
    letters = unicodedata.normalize("NFKD", text)
    plain = "".join([each for each in letters if not unicodedata.combining(each)])
    return " ".join(plain.casefold().translate(_LETTERS).split())


def in_order(items: Sequence[S]) -> Generator[None, None, list[S]]:
    """Return items in order, sorted in slices; see `concurrency.run_cooperatively`."""
    runs, result = [], []
    for start in range(0, len(items), ITEMS_PER_SLICE):
        runs.append(sorted(items[start : start + ITEMS_PER_SLICE]))
        yield
    for place, item in enumerate(merge(*runs)):
        result.append(item)
        if place % ITEMS_PER_SLICE == 0:
            yield
    return result


class TextIndex:
    """Numbers by texts that are folded already. Several numbers may have one text.

    Keys are in order, and prefixes are found, after `sort` only.
    """

    def __init__(self) -> None:
        # A list only where there are several numbers: most texts have one.
        self._values: dict[str, int | list[int]] = {}
        self._keys: list[str] = []

    def add(self, key: str, value: int) -> None:
        """Add a number, which was not added for this text before."""
        known = self._values.setdefault(key, value)
        if known is value:
            return
        if isinstance(known, list):
            known.append(value)
        else:
            self._values[key] = [known, value]

    def sort(self) -> Generator[None, None, None]:
        """Sort the texts in slices; see `concurrency.run_cooperatively`."""
        self._keys = yield from in_order([*self._values])

    def get(self, key: str) -> list[int]:
        """Return the numbers of a text."""
        found = self._values.get(key, [])
        return found if isinstance(found, list) else [found]

    def keys(self, prefix: str = "") -> list[str]:
        """Return the texts that begin with another one, in order."""
        keys = self._keys
        if not prefix:
            return keys
        # No text has a character after the last one of Unicode.
        end = bisect_left(keys, prefix + "\U0010ffff")
        return keys[bisect_left(keys, prefix) : end]

    def starting(self, prefix: str) -> set[int]:
        """Return the numbers of the texts that begin with another one."""
        found: set[int] = set()
        for key in self.keys(prefix):
            value = self._values[key]
            if isinstance(value, list):
                found.update(value)
            else:
                found.add(value)
        return found
