"""The directory: who the extensions of an account are, and which of them a text stands for."""

from array import array
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from heapq import nsmallest
from itertools import chain, islice
from typing import Self

from .enums import ExtensionStatus, ExtensionType
from .errors import LookupFailed, UsageError, short_repr
from .models import DirectoryEntry
from .protocol.lookup_errors import LONGEST, SHOWN, all_in_one, ambiguous, unknown
from .protocol.text_index import TextIndex, fold, in_order, words_of

# Entries that are added to the index in one turn of the event loop: about a millisecond. A guess.
_SLICE = 200
# A text with a typing error is compared to at most so many texts, which takes some milliseconds.
_COMPARED = 200
# Near matches are looked for among so many entries with the same beginning.
_NEAR = 5000
# How many letters of a word near matches may begin with, and how many words of a text count.
_BEGINNING, _WORDS = 16, 8
_USABLE = (None, ExtensionStatus.ENABLED)


class Directory(Mapping[str, DirectoryEntry]):
    """The extensions of an account by their ids, as `session.read_directory()` returned them.

    It does not change. To find an entry takes microseconds, whatever the size of the account. Case,
    accents, apostrophes and surplus blanks do not matter: "zoe  torres" is Zoë Torres.

    Args:
        entries: the entries; of several with one id, the last counts.
    """

    def __init__(self, entries: Iterable[DirectoryEntry] = ()) -> None:
        for _ in self._fill(entries):
            pass

    @classmethod
    def build(cls, entries: Iterable[DirectoryEntry]) -> Generator[None, None, Self]:
        """Return a directory of many entries; run it with `concurrency.run_cooperatively`."""
        directory = cls.__new__(cls)
        yield from directory._fill(entries)
        return directory

    def _fill(self, entries: Iterable[DirectoryEntry]) -> Generator[None, None, None]:
        self._entries: dict[str, DirectoryEntry] = {}
        for place, entry in enumerate(entries):
            self._entries[entry.id] = entry
            if place % _SLICE == 0:
                yield
        self._nameless: list[int] = []
        self._list = [*self._entries.values()]
        self._numbers, self._emails = TextIndex(), TextIndex()
        self._words, self._names = TextIndex(), TextIndex()
        # One after the other: they would all have to grow in the same turn.
        for add in (self._add_number, self._add_email, self._add_name):
            for place, entry in enumerate(self._list):
                add(place, entry)
                if place % _SLICE == 0:
                    yield
        for index in (self._numbers, self._emails, self._words, self._names):
            yield from index.sort()
        yield from self._rank()

    def _add_number(self, place: int, entry: DirectoryEntry) -> None:
        _add(self._numbers, entry.extension_number, place)

    def _add_email(self, place: int, entry: DirectoryEntry) -> None:
        _add(self._emails, entry.email, place)

    def _add_name(self, place: int, entry: DirectoryEntry) -> None:
        if not entry.name:
            self._nameless.append(place)
            return
        name = fold(entry.name)
        self._names.add(name, place)
        for word in {*words_of(name)}:
            self._words.add(word, place)

    def _rank(self) -> Generator[None, None, None]:
        """Rank the entries by name and number; those without a name are the last."""
        self._places = array("I")
        groups = map(self._names.get, self._names.keys())
        ranked = 0
        for group in chain(groups, [self._nameless]):
            self._places.extend((yield from in_order(group, self._number_key)))
            if len(self._places) >= ranked + _SLICE:
                ranked = len(self._places)
                yield
        self._ranks = array("I", bytes(4 * len(self._list)))
        for rank, place in enumerate(self._places):
            self._ranks[place] = rank
            if rank % _SLICE == 0:
                yield

    def _number_key(self, place: int) -> tuple[int, str]:
        number = self._list[place].extension_number or ""
        return len(number), number

    def _ranked(self, places: Iterable[int], limit: int | None = None) -> list[DirectoryEntry]:
        """Return the entries of some places, in the order of results."""
        ranks = map(self._ranks.__getitem__, places)
        first = sorted(ranks) if limit is None else nsmallest(limit, ranks)
        return [self._list[self._places[rank]] for rank in first]

    def __getitem__(self, extension_id: str | int) -> DirectoryEntry:
        return self._entries[str(extension_id)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Directory of {len(self):,} extensions>"

    def find(self, text: str) -> DirectoryEntry:
        """Return the entry that a text stands for.

        The text is an id; or else an extension number; or else an e-mail address; or else a full
        name, also as "Torres, Zoë". So an id always finds its own extension, even if it is the
        number of another one.

        If several entries match, those in use count, rather than disabled ones; then persons,
        rather than call queues and the like; and then a name spelled exactly as the text.

        Args:
            text: what to look for.

        Raises:
            LookupFailed: nothing matches, or several entries match equally. Its message has them,
                or near matches.
            UsageError: the text is not a str.
        """
        return self._find(text, self._near)

    def _find(self, text: str, near: Callable[[str], Iterable[DirectoryEntry]]) -> DirectoryEntry:
        """Return what `find` does; `near` returns the entries that a text may mean."""
        folded = _folded(text)
        if not folded:
            raise LookupFailed(
                "the text is empty: pass an id, a number, an address or a name", text
            )
        if (entry := self._entries.get(folded)) is not None:
            return entry
        places = self._exact(folded) or self._exact(_swapped(folded))
        best = _best(self._ranked(places), text)
        if len(best) == 1:
            return best[0]
        if best:
            raise ambiguous(text, best)
        raise unknown(text, [*near(folded)])

    def search(self, text: str, limit: int = 20) -> list[DirectoryEntry]:
        """Return entries that a text may become while it is typed, sorted by name.

        Every word of the text must begin a word of the name, also one after a hyphen or the like; a
        text without blanks may also begin the extension number or the e-mail address. In a large
        account, a text that begins every name takes some ten milliseconds.

        Args:
            text: what was typed; an empty text finds nothing, and only its first eight words count.
            limit: the most entries to return.

        Raises:
            UsageError: the text is not a str, or the limit is not a positive int.
        """
        folded = _folded(text)
        if type(limit) is not int or limit < 1:
            raise UsageError(f"limit must be a positive int, not {short_repr(limit)}")
        return self._ranked(self._starting(folded), limit)

    def ids(self, *texts: str) -> list[str]:
        """Return the ids that texts stand for, in their order; see `find`.

        Args:
            texts: what to look for.

        Raises:
            LookupFailed: one or more cannot be found; the message names all of them.
            UsageError: a text is not a str.
        """
        found = list[str]()
        failed = list[LookupFailed]()
        for text in texts:
            # To look for near matches takes milliseconds, so only the first ones get some.
            near = self._near if len(failed) < SHOWN else lambda _: ()
            try:
                found.append(self._find(text, near).id)
            except LookupFailed as error:
                failed.append(error)
        if failed:
            raise all_in_one(failed)
        return found

    def _starting(self, folded: str, most: int | None = None) -> set[int]:
        """Return the places that `search` finds; `most` is as that of `_named`."""
        words = words_of(folded)
        found = self._named(words, most) if words else set()
        if folded and " " not in folded:
            for index in (self._numbers, self._emails):
                found.update(index.starting(folded)[:most])
        return found

    def _exact(self, folded: str) -> Sequence[int]:
        """Return the places of a number, or else of an address, or else of a full name."""
        return self._numbers.get(folded) or self._emails.get(folded) or self._names.get(folded)

    def _near(self, folded: str) -> list[DirectoryEntry]:
        """Return the entries that a text may mean: most like it, then those that it begins."""
        if len(folded) > LONGEST:
            return []
        texts: dict[str, set[int]] = {}
        for text, place in islice(self._candidates(folded), _COMPARED):
            texts.setdefault(text, set()).add(place)
        near = get_close_matches(folded, texts, n=SHOWN)
        alike = [self._list[place] for text in near for place in sorted(texts[text])]
        begun = self._ranked(self._starting(folded, _NEAR), SHOWN)
        return [*islice({entry.id: entry for entry in (*alike, *begun)}.values(), SHOWN)]

    def _candidates(self, folded: str) -> Iterator[tuple[str, int]]:
        """Yield texts that may be like another one, with their places: longest beginning first."""
        words = words_of(folded) or [folded]
        for length in range(min(max(map(len, words)), _BEGINNING), 0, -1):
            for place in nsmallest(
                _COMPARED, self._named([word[:length] for word in words], _NEAR)
            ):
                yield fold(self._list[place].name or ""), place
            for index in (self._numbers, self._emails):
                for key in index.keys(folded[:length]):
                    yield from ((key, place) for place in index.get(key))
        for word in words:
            for place in self._words.starting(word):
                yield fold(self._list[place].name or ""), place

    def _named(self, beginnings: Iterable[str], most: int | None = None) -> set[int]:
        """Return the places of entries with a word in their name for each of some beginnings.

        They are among `most` places of the beginning that the fewest names have; None: among all.
        """
        distinct = islice(dict.fromkeys(beginnings), _WORDS)
        first, *others = sorted(map(self._words.starting, distinct), key=len)
        found = set(first[:most])
        for each in others:
            if not found:
                break
            found.intersection_update(each)
        return found


def _folded(text: object) -> str:
    """Return a text as it is looked up; UsageError if it is no text."""
    if not isinstance(text, str):
        raise UsageError(f"text must be a str, not {short_repr(text)}")
    return fold(text)


def _add(index: TextIndex, text: str | None, place: int) -> None:
    if text and (folded := fold(text)):
        index.add(text if text == folded else folded, place)  # Not two equal strings.


def _swapped(folded: str) -> str:
    """Return "zoe torres" for "torres, zoe"."""
    last, _, first = folded.partition(",")
    return f"{first} {last}".strip()


def _best(matches: list[DirectoryEntry], text: str) -> list[DirectoryEntry]:
    """Return the matches that count: see `Directory.find`."""
    preferences: tuple[Callable[[DirectoryEntry], bool], ...] = (
        lambda entry: entry.status in _USABLE,
        lambda entry: entry.type is ExtensionType.USER,
        lambda entry: entry.name == text,
    )
    for is_preferred in preferences:
        if len(matches) > 1:
            matches = [*filter(is_preferred, matches)] or matches
    return matches
