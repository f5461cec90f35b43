"""The secrets that show a notification to be RingCentral's."""

import secrets
from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest
from typing import NoReturn

from ..errors import UsageError
from ..redaction import Secret

# 256 bits; 128 are called enough. A guess is how long a secret RingCentral takes.
_BYTES, _LONGEST = 32, 256


class Keys:
    """The accepted secrets. The first is the one to subscribe with.

    Args:
        given: one, or several for a time in which they are exchanged; None makes one.

    Raises:
        UsageError: one of them cannot be sent in a header as it is, or there is none.
    """

    __slots__ = ("_digests", "first")

    def __init__(self, given: str | Iterable[str] | None) -> None:
        if given is None:
            given = secrets.token_urlsafe(_BYTES)
        keys = [given] if isinstance(given, str) else list(given)
        if not keys or not all(map(_is_key, keys)):
            raise UsageError(
                "verification_token must be a str, or several, each of 1 to"
                f" {_LONGEST} ASCII characters without spaces; None makes one"
            )
        self.first = Secret(keys[0])
        self._digests = [_digest(key) for key in keys]

    def __repr__(self) -> str:
        return "Keys(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")

    def match(self, presented: str) -> bool:
        """Tell whether a header's value is one of them, in the same time whatever it is."""
        digest, found = _digest(presented), False
        for each in self._digests:  # all of them, so that time does not tell which one it was
            found |= compare_digest(digest, each)
        return found


def _is_key(key: object) -> bool:
    return (
        isinstance(key, str)
        and key.isascii()
        and key.isprintable()
        and " " not in key
        and 0 < len(key) <= _LONGEST
    )


def _digest(text: str) -> bytes:
    # Digests are equally long, so that the comparison does not depend on the secret's length.
    # aiohttp keeps bytes of headers that are no UTF-8 as surrogates.
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
