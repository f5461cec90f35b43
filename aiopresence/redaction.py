"""Keep secrets out of output: values with a safe repr, and responses that repeat a secret."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import unescape
from types import TracebackType
from urllib.parse import quote, unquote

STARS = "***"
# A secret that is none: taken out of good answers, it would take their digits along.
_TOO_SHORT = 8
# Characters that look the same in JSON and in a URL.
_PLAIN = re.compile(r"[A-Za-z0-9._~-]*", re.ASCII)
# Of what is shown, so many characters are looked at: more than are ever shown.
_LOOKED_AT = 8 * 1024
_ROUNDS = 4
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
# No honest one has so many digits, and Python refuses to read very many.
_LONG_REFERENCE = re.compile(r"&#[0-9]{8,}")


class Secret(str):
    """A str like any other, but for its repr: tracebacks and logs show three stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


class WithoutFrames:
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


def cleaned(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str]
) -> tuple[Mapping[str, str], bytes]:
    """Return the headers and the body of a response that is to be shown, without secrets.

    They are looked for as they are, and as JSON and URLs usually spell them.
    """
    values = "\n".join(headers.values())
    for text in (text for secret in secrets for text in _spellings(secret)):
        if text in values:
            headers = {name: value.replace(text, STARS) for name, value in headers.items()}
        body = body.replace(text.encode(), STARS.encode())
    return headers, body


def _spellings(secret: str) -> tuple[str, ...]:
    if len(secret) < _TOO_SHORT:
        return ()
    if _PLAIN.fullmatch(secret):
        return (secret,)
    return secret, secret.replace("/", "\\/"), quote(secret, safe="")


def masked(text: str, secrets: Sequence[str]) -> str:
    """Return a text that is to be shown; only stars if decoding it somehow brings up a secret."""
    for spelling in (spelling for secret in secrets for spelling in _spellings(secret)):
        text = text.replace(spelling, STARS)
    # Decoding may change a secret, too, if it looks as if it were encoded.
    hidden = {version for secret in secrets if secret for version in _versions(secret)}
    versions = _versions(text[:_LOOKED_AT].replace("\0", ""))
    return STARS if any(each in version for version in versions for each in hidden) else text


def _versions(text: str) -> Iterator[str]:
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
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)


def _from_html(text: str) -> str:
    return unescape(_LONG_REFERENCE.sub("", text))
