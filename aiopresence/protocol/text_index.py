"""Find things by the texts that people type for them: whole or the beginning, in any spelling.

An index has the texts in order, so that those that begin with another one are neighbours, and in an
array, text by text, the numbers that stand for things: those of all neighbours are one slice of it.
Sorting 100,000 texts takes some ten milliseconds, in which the event loop would stand still: so
slices of them are sorted, and merged.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Any, TypeVar
from unicodedata import combining, normalize

S = TypeVar("S", bound=Any)

# Items that are sorted, or merged, in one turn of the event loop: about a millisecond. A guess.
ITEMS_PER_SLICE = 1000
# Characters of a text that count, so that the time to index it is bounded: as many as an e-mail
# address can have. No name is longer.
LONGEST_TEXT = 254
# What people type in place of one another, or leave out. Letters with a stroke, and the like, are
# no letters with an accent in Unicode.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe"}
    | dict.fromkeys("'\u02bb\u2018\u2019\u02bc\u00b4`")
    | dict.fromkeys("\u2010\u2011\u2012\u2013", "-")
)
# What stands between the words of a name besides blanks, as in "Anne-Marie (Sales/East)".
_SEPARATORS = str.maketrans(dict.fromkeys('-/()[]"&,.;:_+|', " "))


def fold(text: str) -> str:
    """Return a text without apostrophes and without differences of case, accents, width, blanks."""
    text = text[:LONGEST_TEXT].translate(_LETTERS)
    if text.isascii():
        return " ".join(text.lower().split())
    # Letter by letter: to order many accents on one letter takes quadratic time.
    letters = "".join([each if each < "\x80" else normalize("NFKD", each) for each in text])
    plain = "".join([each for each in letters if not combining(each)])
    return " ".join(plain.casefold().translate(_LETTERS).split())


def words_of(folded: str) -> list[str]:
    """Return the words of a text that is folded already."""
    return folded.translate(_SEPARATORS).split()


def in_order(
    items: Iterable[S], key: Callable[[S], Any] | None = None
) -> Generator[None, None, list[S]]:
    """Return items in order, sorted in slices; see `concurrency.run_cooperatively`."""
    runs, remaining = list[list[S]](), iter(items)
    while run := sorted(islice(remaining, ITEMS_PER_SLICE), key=key):
        runs.append(run)
        if len(run) < ITEMS_PER_SLICE:
            break
        yield
    if len(runs) == 1:
        return runs[0]
    result = list[S]()
    for item in merge(*map(_drained, runs), key=key):
        result.append(item)
        if len(result) % ITEMS_PER_SLICE == 0:
            yield
    return result


def _drained(items: list[S]) -> Iterator[S]:
    """Yield items and remove them: to free a hundred thousand at the end takes milliseconds."""
    items.reverse()
    while items:
        yield items.pop()


class TextIndex:
    """Numbers by texts that are folded already. Several numbers may have one text.

    Add all texts, then `sort` once; only then they are found.
    """

    def __init__(self) -> None:
        # Until they are sorted. A list only where there are several: most texts have one number.
        self._added: dict[str, int | list[int]] = {}
        self._keys: list[str] = []
        # The numbers of all texts in their order, and where those of each text end.
        self._numbers, self._ends = array("I"), array("I")

    def add(self, key: str, number: int) -> None:
        """Add a number, which was not added for this text before."""
        known = self._added.setdefault(key, number)
        if known is number:
            return
        if isinstance(known, list):
            known.append(number)
        else:
            self._added[key] = [known, number]

    def sort(self) -> Generator[None, None, None]:
        """Sort the texts in slices; see `concurrency.run_cooperatively`."""
        self._keys = yield from in_order(self._added)
        pause_at = 0
        for key in self._keys:
            numbers = self._added.pop(key)
            self._numbers.extend(numbers if isinstance(numbers, list) else (numbers,))
            self._ends.append(len(self._numbers))
            if len(self._numbers) >= pause_at:
                pause_at = len(self._numbers) + ITEMS_PER_SLICE
                yield

    def get(self, key: str) -> Sequence[int]:
        """Return the numbers of a text."""
        place = bisect_left(self._keys, key)
        if place == len(self._keys) or self._keys[place] != key:
            return ()
        return self._slice(place, place + 1)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the texts that begin with another one, in order."""
        first, end = self._range(prefix)
        return self._keys[first:end]

    def starting(self, prefix: str) -> Sequence[int]:
        """Return the numbers of the texts that begin with another one; some may be repeated."""
        return self._slice(*self._range(prefix))

    def _range(self, prefix: str) -> tuple[int, int]:
        keys = self._keys
        # No text has a character after the last one of Unicode.
        end = bisect_left(keys, prefix + "\U0010ffff") if prefix else len(keys)
        return bisect_left(keys, prefix), end

    def _slice(self, first: int, end: int) -> Sequence[int]:
        ends = self._ends
        return self._numbers[ends[first - 1] if first else 0 : ends[end - 1] if end else 0]
