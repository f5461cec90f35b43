"""Log in with a browser: RingCentral's login page redirects it to a listener on this machine.

Source: RFC 8252 §7.3, "Loopback Interface Redirection"; RFC 7636.
"""

import asyncio
import secrets
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from .. import AuthorizationCodeGrant, UsageError, authorize_url
from .console import print_line, print_notice

if TYPE_CHECKING:
    from .settings import Settings

# Seconds to wait for the user. A guess: time for a password and a second factor.
TIMEOUT = 300.0
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>aiopresence</title>
<p>{}</p></html>"""
DONE = "Login complete. You can close this window and return to the terminal."
# The address contains the code: it must not be cached, or sent on as a referrer.
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Connection": "close"}


class Callback:
    """Handles the redirect from the login page.

    Args:
        state: the state that the redirect must repeat, so that nobody else can send a code.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def handle(self, request: web.Request) -> web.Response:
        """Store the code or the error; refuse requests without the state."""
        query = request.query
        # Bytes that are not UTF-8 are decoded to surrogates.
        state = query.get("state", "").encode("utf-8", "surrogateescape")
        if not secrets.compare_digest(state, self._state.encode()):
            return _page("This request does not belong to the login in progress.", 400)
        if not self._code.done():
            if code := query.get("code"):
                self._code.set_result(code)
            else:
                self._code.set_exception(_refused(query.get("error", "no code")))
        return _page(DONE, 200)

    async def code(self) -> str:
        """Wait for the code and return it.

        Raises:
            UsageError: RingCentral refused the login, or the user did not log in in time.
        """
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._code
        except TimeoutError:
            raise UsageError(
                f"no login within {TIMEOUT / 60:.0f} minutes; run `aiopresence login` again"
            ) from None


async def log_in(settings: "Settings", port: int, *, open_browser: bool) -> AuthorizationCodeGrant:
    """Wait for the user to log in with a browser, and return the code as a grant.

    Args:
        settings: the app and the server.
        port: the port to listen on.
        open_browser: whether to open a browser; the address is printed in any case.

    Raises:
        UsageError: the client id is not set, or the login failed.
        OSError: the port is in use.
    """
    if settings.client_id is None:
        raise UsageError(
            "not set: RC_APP_CLIENT_ID, the client id of the app; see aiopresence login --help"
        )
    redirect_uri = f"http://localhost:{port}/callback"
    verifier, state = secrets.token_urlsafe(64), secrets.token_urlsafe(24)
    url = authorize_url(
        settings.client_id,
        redirect_uri,
        server=settings.server_url,
        state=state,
        code_verifier=verifier,
    )
    async with _listening(port, state) as callback:
        _show_address(url, open_browser=open_browser)
        code = await callback.code()
    return AuthorizationCodeGrant(
        settings.client_id, settings.client_secret, code, redirect_uri, verifier
    )


@asynccontextmanager
async def _listening(port: int, state: str) -> AsyncIterator[Callback]:
    """Listen for the redirect from the login page.

    Raises:
        OSError: the port is in use.
    """
    callback = Callback(state)
    app = web.Application()
    app.router.add_get("/callback", callback.handle, allow_head=False)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield callback
    finally:
        await runner.cleanup()


def _show_address(url: str, *, open_browser: bool) -> None:
    if open_browser:
        print_notice("Log in with the browser. If none opens, open this address:")
        # A text browser blocks its thread, and the process must not wait for it at exit.
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    else:
        print_notice("Open this address with a browser on this machine and log in:")
    print_line(url)


def _page(text: str, status: int) -> web.Response:
    body = PAGE.format(text)
    return web.Response(text=body, status=status, content_type="text/html", headers=HEADERS)


def _refused(error: str) -> UsageError:
    return UsageError(
        f"RingCentral's login page refused the login: {error[:60]}; see aiopresence login --help"
    )
