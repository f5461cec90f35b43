"""Decisions from bytes: the way from the bytes of a fuzzer to a document.

A fuzzer mutates bytes, and finds little if nearly all of them fail in the first check. So most
targets do not pass them on, but build a valid document with mistakes in it, and the bytes decide
what is in it. When they are used up, every decision is the first option: the valid one.
"""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

# What parsers look for. Mutations insert it anywhere.
TOKENS = (
    *(b"\r\n", b"\n", b"\r", b"\0", b"--", b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b";"),
    *(b"=", b"/", b"?", b"#", b"@", b"%2f", b"..", b"~", b" ", b"\t", b"\xff", b"\xef\xbb\xbf"),
    *("\u00e9".encode(), "\u202e".encode(), "\u0661".encode(), b"\xed\xa0\x80", b"\\ud800"),
    *(b"null", b"true", b"NaN", b"1e400", b"-1", b"0", b"9" * 20, b"9" * 5000, b"[" * 1100),
    *(b'{"a":' * 1100, b"A" * 300),
)
MAX_MUTATIONS = 4


class Choices:
    """Decides by bytes, one after the other.

    Args:
        data: the bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """Return the next byte; 0 when there is none left."""
        at, self._at = self._at, self._at + 1
        return self._data[at] if at < len(self._data) else 0

    def below(self, end: int) -> int:
        """Return a number from 0 to one less than `end`, which is at most 65,536."""
        number = self.byte() if end <= 256 else self.byte() + 256 * self.byte()
        return number % end

    def flag(self) -> bool:
        """Return False or True, equally often."""
        return self.byte() % 2 == 1

    def rarely(self) -> bool:
        """Return True in one of eight cases."""
        return self.byte() >= 224

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.below(len(options))]

    def several(self, options: Sequence[T], most: int) -> list[T]:
        """Return up to `most` options, in any order, also repeated."""
        return [self.pick(options) for _ in range(self.below(most + 1))]

    def blob(self, most: int) -> bytes:
        """Return up to `most` bytes as they are."""
        size = self.below(most + 1)
        found = self._data[self._at : self._at + size]
        self._at += size
        return found

    def text(self, most: int) -> str:
        """Return a text of up to `most` bytes, of any characters."""
        return self.blob(most).decode("utf-8", "replace")

    def rest(self) -> bytes:
        """Return all bytes that are left."""
        found, self._at = self._data[self._at :], len(self._data)
        return found

    def mutated(self, document: bytes) -> bytes:
        """Return a document with up to `MAX_MUTATIONS` changes."""
        for _ in range(self.below(MAX_MUTATIONS + 1)):
            document = self._mutated_once(document)
        return document

    def _mutated_once(self, document: bytes) -> bytes:
        at = self.below(min(len(document), 65_535) + 1)
        size = 1 + self.below(64)
        before, span, after = document[:at], document[at : at + size], document[at + size :]
        return self.pick(
            (
                before + self.pick(TOKENS) + span + after,
                before + after,
                before,
                before + span + span + after,
                before + after + span,
                before + bytes([self.byte()]) + document[at + 1 :],
                before + self.blob(64) + after,
            )
        )


def mutated_text(choices: Choices, text: str) -> str:
    """Return a text with some changes."""
    return choices.mutated(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
