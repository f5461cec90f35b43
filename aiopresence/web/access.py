"""Who may see the dashboard: a token, or whoever is on this machine.

A program sends the token in a header. A screen in an office needs a URL: opening the page with
`?token=` sets a cookie and redirects to the URL without it. The cookie has a digest of the token,
and its name too, because browsers share cookies between the ports of a host.

Without a token, on a loopback address, only the names of this machine are accepted in the Host
header. Otherwise any website could let its own name resolve to 127.0.0.1, and read the presence in
the browser of a visitor (DNS rebinding).
"""

import hmac
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

from aiohttp import web

from .. import UsageError

_MIN_LENGTH = 16
_COOKIE_SECONDS = 30 * 86_400
_HINT = "send the header `Authorization: Bearer TOKEN`, or open the page once with ?token=TOKEN"


class Refused(Exception):
    """A request is refused.

    Attributes:
        status: the HTTP status.
        error: what is wrong.
        hint: what to do.
    """

    def __init__(self, status: int, error: str, hint: str) -> None:
        super().__init__(error)
        self.status, self.error, self.hint = status, error, hint


class Access:
    """Checks requests.

    Args:
        token: the token; None for none.

    Raises:
        UsageError: the token cannot be used; the message does not contain it.
    """

    def __init__(self, token: str | None) -> None:
        if token is not None:
            _check(token)
        self._token = None if token is None else token.encode()
        digest = hmac.new(self._token or b"", b"aiopresence cookie", sha256).hexdigest()
        self._cookie, self._cookie_value = f"aiopresence_{digest[:8]}", digest[8:]

    def check(self, request: web.Request) -> None:
        """Check a request.

        Raises:
            Refused: it may not see the dashboard.
        """
        if self._token is None:
            _check_host(request)
        elif not self._has(self._token, request):
            raise Refused(401, "the token is missing or wrong", _HINT)

    def allows(self, request: web.Request) -> bool:
        """Return whether a request may see the dashboard."""
        try:
            self.check(request)
        except Refused:
            return False
        return True

    def _has(self, token: bytes, request: web.Request) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _equal(given.strip(), token):
            return True
        return _equal(request.cookies.get(self._cookie, ""), self._cookie_value.encode())

    def login(self, request: web.Request) -> web.Response | None:
        """Return the redirect that sets the cookie; None if the URL has no token.

        Raises:
            Refused: the token is wrong.
        """
        given = request.query.get("token")
        if given is None or self._token is None:
            return None
        if not _equal(given, self._token):
            raise Refused(401, "the token is wrong", _HINT)
        # Without a path, the cookie is for the folder of the page, as the browser sees it.
        cookie = f"{self._cookie}={self._cookie_value}; Max-Age={_COOKIE_SECONDS}"
        cookie += "; HttpOnly; SameSite=Strict"
        if "https" in (request.scheme, request.headers.get("X-Forwarded-Proto")):
            cookie += "; Secure"
        return web.Response(status=303, headers={"Location": "./", "Set-Cookie": cookie})


def _check(token: Any) -> None:
    if not isinstance(token, str) or len(token) < _MIN_LENGTH:
        raise UsageError(
            f"token must be a str of at least {_MIN_LENGTH} characters: make one with"
            ' python -c "import secrets; print(secrets.token_urlsafe())"'
        )
    if not token.isascii() or any(not "!" <= each <= "~" for each in token):
        raise UsageError("token must consist of printable ASCII characters without spaces")


def _equal(given: str, expected: bytes) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogateescape"), expected)


def _check_host(request: web.Request) -> None:
    transport = request.transport
    address = transport.get_extra_info("sockname") if transport is not None else None
    if not isinstance(address, tuple) or not _is_loopback(address[0]):
        return
    host = request.headers.get("Host", "").lower()
    name = host.partition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]
    if name != "localhost" and not name.endswith(".localhost") and not _is_loopback(name):
        raise Refused(
            421,
            "this host name is not accepted without a token",
            "use http://localhost, set a token, or have the proxy send `Host: localhost`",
        )


def _is_loopback(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
