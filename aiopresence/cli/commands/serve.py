"""The command that serves the dashboard."""

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import print_line, print_notice
from ..options import ProfileOption, RateOption, SandboxOption
from ..session import open_session, run_command
from ..usage import InvalidArgument
from .events import start_simulation

if TYPE_CHECKING:
    from aiohttp.web import Application

    from ... import PresenceBoard

_VARIABLE = "AIOPRESENCE_TOKEN"
# Seconds that a request in progress has when the command ends.
_LAST_SECONDS = 0.5
# Seconds after which a connection without a complete request is closed.
IDLE_SECONDS = 15.0

HostOption = Annotated[
    str,
    typer.Option(
        "--host",
        metavar="ADDRESS",
        help="Address to listen on; 0.0.0.0 lets other machines connect, and requires a token.",
    ),
]
PortOption = Annotated[
    int,
    typer.Option(
        "--port", min=0, max=65535, metavar="PORT", help="Port to listen on; 0 for any free port."
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar=_VARIABLE,
        metavar="TEXT",
        show_default=False,
        help="What readers have to present. Set it in the environment: other users of the machine"
        " see arguments.",
    ),
]


def serve(
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    token: TokenOption = None,
    sandbox: SandboxOption = None,
    rate: RateOption = 2.0,
    profile: ProfileOption = None,
) -> None:
    """Serve a web page with everybody's availability, live, until Ctrl-C.

    The same is there as JSON under /presence, with a health check under /health and metrics for
    Prometheus under /metrics.

    Without a token, only programs on this machine can connect. With one, they send the header
    Authorization: Bearer TOKEN; in a browser, open the page once with ?token=TOKEN.
    """
    if token is None and not _is_loopback(host):
        raise InvalidArgument(
            f"--host {host} lets other machines connect, which requires a token. Make one with:"
            f" export {_VARIABLE}=$(python3 -c 'import secrets; print(secrets.token_urlsafe())')"
        )
    run_command(_serve(host, port, token, sandbox, rate, profile))


async def _serve(
    host: str, port: int, token: str | None, sandbox: int | None, rate: float, profile: str | None
) -> None:
    async with open_session(sandbox, profile) as (session, platform):
        board = session.board(directory=True)
        app = _application(board, token)
        async with board, listening(app, host, port) as url:
            changes = board.changes()
            print_line(f"Serving the dashboard at {url}")
            if token is not None:
                print_notice("Open it once with ?token=TOKEN at the end. Press Ctrl-C to stop.")
            else:
                print_notice("Press Ctrl-C to stop.")
            start_simulation(platform, rate)
            await board.wait_ready()
            print_notice(f"{len(board):,} extensions were read.")
            async for _ in changes:
                pass  # The end of the board is the end of the command.


def _application(board: "PresenceBoard", token: str | None) -> "Application":
    from ... import UsageError
    from ...web import presence_app

    try:
        return presence_app(board, token=token)
    except UsageError as error:
        raise UsageError(f"--token or {_VARIABLE}: {error}") from None


@asynccontextmanager
async def listening(app: "Application", host: str, port: int) -> AsyncIterator[str]:
    """Serve an application, and yield its URL."""
    from aiohttp import web

    # Without a log of accesses, which would contain the token of a URL.
    runner = web.AppRunner(
        app, access_log=None, keepalive_timeout=IDLE_SECONDS, shutdown_timeout=_LAST_SECONDS
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise _explained(error, host, port) from None
        actual = runner.addresses[0][1]
        yield f"http://{_shown_host(host)}:{actual}/"
    finally:
        await runner.cleanup()


def _explained(error: OSError, host: str, port: int) -> OSError:
    """Return an error that says why the address cannot be used, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return OSError(f"port {port} is in use: choose another one with --port, or 0 for any")
    return OSError(f"cannot listen on {host} port {port}: {error.strerror or error}")


def _shown_host(host: str) -> str:
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - only compared
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
