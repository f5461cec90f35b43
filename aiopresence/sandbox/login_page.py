"""The login page of the code flow: it asks for consent and sends a code to the redirect URI.

Source: RFC 6749 §4.1, RFC 7636. There is only one user, so the page asks for no password.
"""

import html
import ipaddress
import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from .request_context import RequestContext
from .responses import Response

AUTHORIZE_PATH = "/restapi/oauth/authorize"
_PARAMS = ("response_type", "client_id", "redirect_uri", "state", "code_challenge")
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox login</title>
<h1>Sandbox login</h1>{}</html>"""
_FORM = """<p>Allow the app <b>{client_id}</b> to act as <b>{user}</b>?
The response goes to <code>{redirect_uri}</code>.</p>
<form method="post" action="{path}">{fields}
<button name="consent" value="yes">Allow</button>
<button name="consent" value="no">Deny</button></form>"""

NewCode = Callable[[str, str | None], str]


class LoginPage:
    """Serves the login page for one app and one user.

    Args:
        client_id: the app's client id.
        user: the name of the user.
        new_code: returns a code for a redirect URI and a PKCE challenge.
    """

    def __init__(self, client_id: str, user: str, new_code: NewCode) -> None:
        self._client_id = client_id
        self._user = user
        self._new_code = new_code

    def show(self, context: RequestContext) -> Response:
        """GET /restapi/oauth/authorize: ask for consent."""
        return self._problem(context.query) or _page(self._form(context.query), 200)

    def submit(self, context: RequestContext) -> Response:
        """POST /restapi/oauth/authorize: redirect with a code, or with access_denied."""
        form = context.received.body.decode(errors="replace")
        params = dict(parse_qsl(form, keep_blank_values=True))
        if problem := self._problem(params):
            return problem
        if params.get("consent") != "yes":
            return _redirect(params, {"error": "access_denied"})
        code = self._new_code(params["redirect_uri"], params.get("code_challenge"))
        return _redirect(params, {"code": code})

    def _problem(self, params: Mapping[str, str]) -> Response | None:
        """Return the response to a request with an error; None for one without.

        An unknown app or a redirect URI that is not allowed is shown to the user; other errors go
        to the redirect URI.
        """
        if params.get("client_id") != self._client_id:
            return _page("<p>The client_id is not that of the sandbox's app.</p>", 400)
        if not _is_loopback(params.get("redirect_uri", "")):
            return _page(
                "<p>The redirect_uri must be an http address on this machine, such as"
                " http://localhost:8765/callback: nothing leaves the sandbox.</p>",
                400,
            )
        error = _oauth_error(params)
        return _redirect(params, {"error": error}) if error else None

    def _form(self, params: Mapping[str, str]) -> str:
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(params[name])}">'
            for name in (*_PARAMS, "code_challenge_method")
            if name in params
        )
        return _FORM.format(
            client_id=html.escape(params["client_id"]),
            user=html.escape(self._user),
            redirect_uri=html.escape(params["redirect_uri"]),
            path=AUTHORIZE_PATH,
            fields=fields,
        )


def _oauth_error(params: Mapping[str, str]) -> str | None:
    """Return the OAuth error code of a request; None for a valid one."""
    if params.get("response_type") != "code":
        return "unsupported_response_type"
    challenge = params.get("code_challenge")
    if challenge is None:
        return None
    # The sandbox accepts S256 only: with plain, whoever sees the request could use the code.
    fits = re.fullmatch("[A-Za-z0-9_-]{43}", challenge)
    return None if fits and params.get("code_challenge_method") == "S256" else "invalid_request"


def _redirect(params: Mapping[str, str], result: Mapping[str, str]) -> Response:
    state = {"state": params["state"]} if "state" in params else {}
    uri = params["redirect_uri"]
    separator = "&" if urlsplit(uri).query else "?"
    location = f"{uri}{separator}{urlencode({**result, **state}, errors='replace')}"
    return Response(302, headers={"Location": location, "Cache-Control": "no-store"})


def _page(content: str, status: int) -> Response:
    return Response(status, _PAGE.format(content).encode(), _HEADERS)


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
