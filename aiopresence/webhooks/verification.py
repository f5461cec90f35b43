"""The verification token, the secret that comes with each notification, and its headers.

RingCentral sends the token of the subscription in the header Verification-Token (documented), and
some senders use Validation-Token for it (seen). Validation-Token also carries the challenge of a
handshake, the call that RingCentral makes while a subscription is created, which must be echoed.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import NoReturn

import attrs

from ..errors import UsageError
from ..redaction import Secret

VERIFICATION_HEADER = "Verification-Token"
VALIDATION_HEADER = "Validation-Token"
# 256 bits; 128 are considered enough. How long a token RingCentral accepts is a guess.
_BYTES, _LONGEST = 32, 256
# The only challenges that are echoed: nothing that could be more than one header value.
_CHALLENGE = re.compile(r"[A-Za-z0-9._~+/=-]{1,256}", re.ASCII)


class VerificationTokens:
    """The accepted verification tokens. The first is the one to subscribe with.

    Args:
        tokens: one, or several while tokens are rotated; None generates one.

    Raises:
        UsageError: a token cannot be sent in a header unchanged, or there is none.
    """

    __slots__ = ("_digests", "first")

    def __init__(self, tokens: str | Iterable[str] | None) -> None:
        if tokens is None:
            tokens = secrets.token_urlsafe(_BYTES)
        accepted = [tokens] if isinstance(tokens, str) else list(tokens)
        if not accepted or not all(map(_is_token, accepted)):
            raise UsageError(
                "verification_token must be a str, or several, each of 1 to"
                f" {_LONGEST} ASCII characters without spaces; None generates one"
            )
        self.first = Secret(accepted[0])
        self._digests = [_digest(token) for token in accepted]

    def __repr__(self) -> str:
        return "VerificationTokens(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")

    def match(self, presented: str) -> bool:
        """Return whether a header value is an accepted token, in constant time."""
        digest, matched = _digest(presented), False
        for each in self._digests:  # all of them, so that the time does not depend on which
            matched |= compare_digest(digest, each)
        return matched


def _is_token(token: object) -> bool:
    return (
        isinstance(token, str)
        and token.isascii()
        and token.isprintable()
        and " " not in token
        and 0 < len(token) <= _LONGEST
    )


def _digest(text: str) -> bytes:
    # Digests have equal lengths, so the comparison does not depend on the token's length.
    # aiohttp decodes header bytes that are not UTF-8 to surrogates.
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


@attrs.frozen
class TokenHeaders:
    """The values of the two headers that may hold the token; None for an absent one.

    Attributes:
        verification: Verification-Token.
        validation: Validation-Token: the token as well, or the challenge of a handshake.
    """

    verification: str | None = attrs.field(repr=False)
    validation: str | None = attrs.field(repr=False)

    @property
    def token(self) -> str:
        """What must be the verification token of a notification; empty when there is none."""
        return (self.validation if self.verification is None else self.verification) or ""

    @property
    def has_challenge(self) -> bool:
        """Whether Validation-Token has a value that may be echoed."""
        return self.validation is not None and bool(_CHALLENGE.fullmatch(self.validation))

    @property
    def echo(self) -> Mapping[str, str]:
        """The header that answers a handshake; empty when the challenge must not be echoed."""
        return {VALIDATION_HEADER: self.validation or ""} if self.has_challenge else {}
