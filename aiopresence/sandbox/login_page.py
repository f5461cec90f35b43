"""The login page of the code flow: it asks for consent and sends a code to the redirect URI.

Source: RFC 6749 §4.1, RFC 7636. Nobody has to log in, for there is but one user.
"""

import html
import ipaddress
import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from .responses import Reply

AUTHORIZE_PATH = "/restapi/oauth/authorize"
_KEPT = ("response_type", "client_id", "redirect_uri", "state", "code_challenge")
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox login</title>
<h1>Sandbox login</h1>{}</html>"""
_FORM = """<p>Allow the app <b>{client_id}</b> to act as <b>{user}</b>?
The answer goes to <code>{redirect_uri}</code>.</p>
<form method="post" action="{path}">{fields}
<button name="consent" value="yes">Allow</button>
<button name="consent" value="no">Deny</button></form>"""

NewCode = Callable[[str, str | None], str]


class LoginPage:
    """Serves the page for one app and one user.

    Args:
        client_id: the app's.
        user: the name of the user.
        new_code: returns a code for a redirect URI and a PKCE challenge.
    """

    def __init__(self, client_id: str, user: str, new_code: NewCode) -> None:
        self._client_id = client_id
        self._user = user
        self._new_code = new_code

    def answer(self, method: str, query: str, body: bytes) -> Reply:
        """Show the page (GET), or take the user's decision (POST) and redirect.

        An unknown app or a redirect URI that is not allowed is shown to the user; other errors go
        to the redirect URI.
        """
        text = query if method == "GET" else body.decode(errors="replace")
        given = dict(parse_qsl(text, keep_blank_values=True))
        if given.get("client_id") != self._client_id:
            return _page("<p>The client_id is not that of the sandbox's app.</p>", 400)
        if not _is_loopback(given.get("redirect_uri", "")):
            return _page(
                "<p>The redirect_uri must be an http address on this machine, such as"
                " http://localhost:8765/callback: nothing leaves the sandbox.</p>",
                400,
            )
        if error := _objection(given):
            return _redirect(given, {"error": error})
        if method == "GET":
            return _page(self._form(given), 200)
        if given.get("consent") != "yes":
            return _redirect(given, {"error": "access_denied"})
        code = self._new_code(given["redirect_uri"], given.get("code_challenge"))
        return _redirect(given, {"code": code})

    def _form(self, given: Mapping[str, str]) -> str:
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(given[name])}">'
            for name in (*_KEPT, "code_challenge_method")
            if name in given
        )
        return _FORM.format(
            client_id=html.escape(given["client_id"]),
            user=html.escape(self._user),
            redirect_uri=html.escape(given["redirect_uri"]),
            path=AUTHORIZE_PATH,
            fields=fields,
        )


def _objection(given: Mapping[str, str]) -> str | None:
    """Return the OAuth error of a request, or None."""
    if given.get("response_type") != "code":
        return "unsupported_response_type"
    challenge = given.get("code_challenge")
    if challenge is None:
        return None
    # The sandbox knows S256 only: with plain, whoever sees the request could use the code.
    fits = re.fullmatch("[A-Za-z0-9_-]{43}", challenge)
    return None if fits and given.get("code_challenge_method") == "S256" else "invalid_request"


def _redirect(given: Mapping[str, str], answer: Mapping[str, str]) -> Reply:
    state = {"state": given["state"]} if "state" in given else {}
    uri = given["redirect_uri"]
    separator = "&" if urlsplit(uri).query else "?"
    location = f"{uri}{separator}{urlencode({**answer, **state}, errors='replace')}"
    return Reply(302, headers={"Location": location, "Cache-Control": "no-store"})


def _page(content: str, status: int) -> Reply:
    return Reply(status, _PAGE.format(content).encode(), _HEADERS)


def _is_loopback(uri: str) -> bool:
    if not (uri.isascii() and uri.isprintable()) or " " in uri or "#" in uri:
        return False
    try:
        url = urlsplit(uri)
        host, port = url.hostname or "", url.port
        near = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    return near and url.scheme == "http" and port != 0 and "@" not in url.netloc
