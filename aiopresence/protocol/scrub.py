"""Taking a token out of an answer, should the server have repeated it, in whatever spelling."""

import re
from html import unescape
from urllib.parse import quote, unquote

from .wire import Response

_STARS = "***"
# A token that is no token: taken out of good answers, it would take their digits along.
_TOO_SHORT = 8
# A token that looks the same when it is percent-encoded.
_PLAIN = re.compile(r"[A-Za-z0-9._~-]*", re.ASCII)
# How JSON may spell a character that needs no escape: RFC 8259 §7. Pairs of backslashes are passed.
_ESCAPE = re.compile(rb"\\(?:u00([2-7][0-9A-Fa-f])|(.))", re.DOTALL)


def scrubbed(response: Response, token: str) -> Response:
    """Give an answer without a token.

    Of a refusal that has it in a spelling of its own, such as doubly encoded, nothing is left: its
    words go into messages.
    """
    is_refusal = response.status >= 400
    if not token or (len(token) < _TOO_SHORT and not is_refusal):
        return response
    headers, body = response.headers, response.body
    encoded = token.encode()
    if b"\\" in body and encoded in (plain := _ESCAPE.sub(_plainly, body)):
        body = plain
    for text in (token,) if _PLAIN.fullmatch(token) else (token, quote(token, safe="")):
        body = body.replace(text.encode(), _STARS.encode())
    if is_refusal and _has(body.decode(errors="replace"), token):
        body = _STARS.encode()
    values = "\n".join(headers.values())
    if _has(values, token):
        headers = {n: _STARS if _has(value, token) else value for n, value in headers.items()}
    if body is response.body and headers is response.headers:
        return response
    return Response(response.status, headers, body)


def _plainly(found: "re.Match[bytes]") -> bytes:
    if found[2] == b"/":
        return b"/"
    character = bytes([int(found[1], 16)]) if found[1] else b""
    return found[0] if character in (b"", b'"', b"\\", b"\x7f") else character


def _has(text: str, token: str) -> bool:
    """Tell whether a token is in a text, as it is or encoded, even more than once."""
    return token in text or _decoded(token) in _decoded(text)


def _decoded(text: str) -> str:
    for _ in range(4 if "%" in text or "&" in text else 0):
        text = unquote(unescape(text))
    return text
