"""Keep secrets out of what is shown: values with a safe repr, and one Redactor per session.

A server may repeat a secret in a response: the access token, or the verification token of a
webhook. Parsers get the response as it came, because a secret may also be a part of good data.
Whatever reaches a message, an error attribute, a log or a user goes through the session's
`Redactor`, with which every secret is registered before it is sent.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from html import unescape
from types import TracebackType
from urllib.parse import quote, unquote

import attrs

STARS = "***"
# The secrets that one Redactor remembers, the latest ones; and the length below which nothing is
# replaced within a text: it would take the digits of good responses along.
MAX_SECRETS, MIN_LENGTH = 16, 8
# The alphabet of base64 in URLs.
_URL_SAFE = str.maketrans("+/", "-_")
# Characters that look the same in JSON and in a URL.
_PLAIN = re.compile(r"[A-Za-z0-9._~-]*", re.ASCII)
# The characters of a text that are decoded: more than are ever shown; and how deep.
_MAX_DECODED = 8 * 1024
_ROUNDS = 4
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
# No valid reference has so many digits, and Python refuses to read very many.
_LONG_REFERENCE = re.compile(r"&#[0-9]{8,}")


class Secret(str):
    """A str like any other, but for its repr: tracebacks and logs show three stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return STARS


class StripTraceback:
    """A `with` block whose errors have no frames of what was called in it.

    Error trackers show the local variables of a traceback's frames. Those of a parser hold a
    response as it came, and with it whatever secret the server has put there.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            raise error.with_traceback(None)


@attrs.frozen(repr=False)
class _Spellings:
    """How a secret is looked for.

    Attributes:
        literal: as it is, and as JSON and URLs usually spell it; none if it is very short.
        encoded: in base64, whatever stands before and after it, and in hexadecimal digits.
        decoded: what decoding may turn it into, should it look as if it were encoded.
    """

    literal: tuple[str, ...]
    encoded: tuple[str, ...]
    decoded: frozenset[str]


@attrs.frozen(repr=False)
class _Literals:
    """The literal spellings of all secrets, for texts and for bodies."""

    texts: tuple[str, ...]
    as_bytes: tuple[bytes, ...] = attrs.field(init=False)

    @as_bytes.default
    def _encode(self) -> tuple[bytes, ...]:
        return tuple(text.encode() for text in self.texts)


class Redactor:
    """Replaces secrets in what is shown with three stars."""

    def __init__(self) -> None:
        # The latest one last.
        self._secrets: dict[str, _Spellings] = {}
        # Kept in step with it, because every response is searched for them.
        self._literals = _Literals(())

    def add(self, secret: str) -> None:
        """Register a secret, or register it again as the latest one. The oldest are forgotten."""
        if not secret or secret == next(reversed(self._secrets), None):
            return
        known = self._secrets.pop(secret, None)
        self._secrets[Secret(secret)] = known or _spellings(secret)
        if len(self._secrets) > MAX_SECRETS:
            del self._secrets[next(iter(self._secrets))]
        self._literals = _Literals(
            tuple(each for spellings in self._secrets.values() for each in spellings.literal)
        )

    def text(self, text: str) -> str:
        """Return a text without secrets; only stars if decoding it somehow reveals one."""
        for spellings in self._secrets.values():
            for spelling in (*spellings.literal, *spellings.encoded):
                text = text.replace(spelling, STARS)
        versions = [*_versions(text[:_MAX_DECODED].replace("\0", ""))]
        hidden = (each for spellings in self._secrets.values() for each in spellings.decoded)
        return STARS if any(each in version for each in hidden for version in versions) else text

    def headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Return the headers of a response without secrets, as they are or usually spelt."""
        values = "\n".join(headers.values())
        for literal in self._literals.texts:
            if literal in values:
                headers = {name: value.replace(literal, STARS) for name, value in headers.items()}
        return headers

    def body(self, body: bytes) -> bytes:
        """Return the body of a response without secrets, as they are or usually spelt."""
        for literal in self._literals.as_bytes:
            body = body.replace(literal, STARS.encode())
        return body


def _spellings(secret: str) -> _Spellings:
    decoded = frozenset(filter(None, _versions(secret)))
    if len(secret) < MIN_LENGTH:
        return _Spellings((), (), decoded)
    literal: tuple[str, ...] = (secret,)
    if not _PLAIN.fullmatch(secret):
        literal = (secret, secret.replace("/", "\\/"), quote(secret, safe=""))
    return _Spellings(literal, tuple(_encoded(secret.encode())), decoded)


def _encoded(secret: bytes) -> Iterator[str]:
    """Yield what stands in a text that has a secret in it, when it is encoded."""
    for before in range(3):
        # A base64 digit has 6 bits: the first and the last ones may have bits of other bytes.
        digits = b64encode(bytes(before) + secret).decode().rstrip("=")
        first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        yield digits[first:last]
        yield digits[first:last].translate(_URL_SAFE)
    yield secret.hex()
    yield secret.hex().upper()


def _versions(text: str) -> Iterator[str]:
    """Yield a text and what it decodes to, from JSON, HTML and URLs in turn."""
    decoders: tuple[Callable[[str], str], ...] = (_from_json, _from_html, unquote)
    yield text
    for _ in range(_ROUNDS):
        before = text
        for decode in decoders:
            text = decode(text)
            yield text
        if text == before:
            return


def _from_json(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else match[2], text)


def _from_html(text: str) -> str:
    return unescape(_LONG_REFERENCE.sub("", text))
