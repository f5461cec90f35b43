"""The login with a browser: RingCentral's page sends its code to a listener on this machine.

Source: RFC 8252 §7.3, "Loopback Interface Redirection"; RFC 7636.
"""

import asyncio
import secrets
import threading
import webbrowser
from typing import TYPE_CHECKING

from aiohttp import web

from .. import AuthorizationCodeGrant, UsageError, authorize_url
from .console import note, show

if TYPE_CHECKING:
    from .settings import Settings

# Seconds in which somebody has to log in. A guess: a password, and a second factor to look for.
PATIENCE = 300.0
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>aiopresence</title>
<p>{}</p></html>"""
DONE = "Thank you. You can close this window and go back to the terminal."
# Nothing of the address, which has the code in it, goes anywhere.
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Connection": "close"}


class Callback:
    """Waits for what the login page sends.

    Args:
        state: what it has to bring back, so that nobody else can send a code.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def answer(self, request: web.Request) -> web.Response:
        """Take the code, or why there is none; anything without the state is not for us."""
        query = request.query
        if not secrets.compare_digest(query.get("state", "").encode(), self._state.encode()):
            return _page("This is not the login that was begun here.", 400)
        if not self._code.done():
            if code := query.get("code"):
                self._code.set_result(code)
            else:
                self._code.set_exception(_refused(query.get("error", "no code")))
        return _page(DONE, 200)

    async def code(self) -> str:
        """Wait for the code.

        Raises:
            UsageError: RingCentral refused, or nobody logged in.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._code
        except TimeoutError:
            raise UsageError(
                f"nobody logged in within {PATIENCE / 60:.0f} minutes; try again"
            ) from None


async def log_in(settings: "Settings", port: int, *, browser: bool) -> AuthorizationCodeGrant:
    """Let somebody log in with a browser.

    Args:
        settings: the app and the server.
        port: where to listen.
        browser: whether to open one, or only to say where to go.

    Raises:
        UsageError: the app is not set, or nobody could log in.
        OSError: the port is taken.
    """
    if settings.client_id is None:
        raise UsageError("not set: RC_APP_CLIENT_ID, the app to log in with; and see login --help")
    redirect_uri = f"http://localhost:{port}/callback"
    verifier, state = secrets.token_urlsafe(64), secrets.token_urlsafe(24)
    url = authorize_url(
        settings.client_id,
        redirect_uri,
        server=settings.server_url,
        state=state,
        code_verifier=verifier,
    )
    callback = Callback(state)
    app = web.Application()
    app.router.add_get("/callback", callback.answer, allow_head=False)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        _show(url, browser=browser)
        code = await callback.code()
    finally:
        await runner.cleanup()
    return AuthorizationCodeGrant(
        settings.client_id, settings.client_secret, code, redirect_uri, verifier
    )


def _show(url: str, *, browser: bool) -> None:
    if browser:
        note("Log in with the browser. If none opens, go to this address:")
        # A browser in the terminal keeps its thread, for which the end must not wait.
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    else:
        note("Go to this address with a browser on this machine, and log in:")
    show(url)


def _page(text: str, status: int) -> web.Response:
    body = PAGE.format(text)
    return web.Response(text=body, status=status, content_type="text/html", headers=HEADERS)


def _refused(error: str) -> UsageError:
    return UsageError(f"RingCentral's login page refused: {error[:60]}; see login --help")
