"""Open a session from the settings, and run a command: errors become one line and an exit code."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import typer

from .console import end_temporary_line, flush_streams, print_notice, temporary_line
from .diagnostics import show_log
from .signals import signal_handlers

if TYPE_CHECKING:
    from .. import PresenceSession, SessionHooks
    from ..sandbox import Sandbox
    from .logins import Login

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
# Seconds in which several signals count as one: a wrapper passes on the Ctrl-C that the terminal
# has sent to both, and a service manager may send SIGTERM and SIGHUP. A guess.
SAME_SIGNAL = 0.25
# Seconds without any output after which a terminal shows that a command is connecting.
CONNECTING_AFTER = 1.0


@asynccontextmanager
async def open_session(
    sandbox: int | None, profile: str | None
) -> "AsyncIterator[tuple[PresenceSession, Sandbox | None]]":
    """Open a session with an embedded sandbox, or with the server and login of the settings.

    Args:
        sandbox: the number of extensions of the sandbox; None for the server of the settings.
        profile: the profile of the configuration file; None for "default".

    Raises:
        UsageError: the settings are incomplete or invalid.
    """
    if sandbox is not None:
        from .. import PresenceSession
        from ..sandbox import Sandbox

        # With a window of one second instead of a minute, waits for its limits are short.
        async with (
            Sandbox(sandbox, window=1.0) as platform,
            PresenceSession(platform.grant, server=platform.url, hooks=_hooks()) as session,
        ):
            yield session, platform
        return
    from .logins import select_login
    from .settings import load_settings

    login = await select_login(load_settings(profile), profile)
    async with open_login_session(login) as session:
        yield session, None


@asynccontextmanager
async def open_login_session(login: "Login") -> "AsyncIterator[PresenceSession]":
    """Open a session with a login, through the proxy that HTTPS_PROXY names.

    Raises:
        UsageError: it was saved by `aiopresence login` and has expired or been revoked, or
            HTTPS_PROXY is not the URL of an HTTP proxy.
    """
    from .. import AuthError, PresenceSession, UsageError
    from ..auth_advice import advice_for

    try:
        async with PresenceSession(
            login.grant,
            server=login.server,
            token_store=login.store,
            hooks=_hooks(),
            trust_env=True,
        ) as session:
            yield session
    except AuthError as error:
        if login.profile is None or login.is_new or not error.final:
            raise
        reason = f"HTTP {error.http_status} {error.error_code or ''}".strip()
        advice = advice_for(error.error_code)
        raise UsageError(
            f"the saved login of profile {login.profile} was refused ({reason}): log in again with"
            f" `aiopresence login`{f'; {advice}' if advice else ''}"
        ) from None


def _hooks() -> "SessionHooks":
    from .. import SessionHooks

    class Hooks(SessionHooks):
        def on_connection(self, _: object) -> None:
            # Connected, but no event may come for hours.
            end_temporary_line()

    return Hooks()


def run_command(command: Coroutine[Any, Any, None]) -> None:
    """Run a command.

    Errors are printed on one line. Ctrl-C and a closed output pipe print nothing.

    Raises:
        Exit: the command failed or was interrupted.
    """
    from .. import PresenceError, UsageError

    try:
        with show_log(lambda text, _: print_notice(f"aiopresence: {text}")):
            asyncio.run(_run_until_signal(command))
    except BrokenPipeError:
        pass  # The reader of the output has enough.
    except (PresenceError, OSError) as error:
        print_notice(f"aiopresence: {error}")
        code = EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED
        raise typer.Exit(code) from None
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    finally:
        flush_streams()


async def _run_until_signal(command: Coroutine[Any, Any, None]) -> None:
    """Run a command; cancel it, so that it cleans up, when a signal asks it to end.

    Another signal cancels the cleaning up.

    Raises:
        Exit: with the code of a process that the signal has ended.
    """
    task, now = asyncio.current_task(), asyncio.get_running_loop().time
    received: list[tuple[int, float]] = []

    def cancel(number: int) -> None:
        if received and now() < received[-1][1] + SAME_SIGNAL:
            return
        received.append((number, now()))
        if task is not None:
            task.cancel()

    # SIGINT, too: Python's own handler raises the second KeyboardInterrupt wherever the code is.
    with signal_handlers(dict.fromkeys(("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"), cancel)):
        try:
            with temporary_line("connecting…", CONNECTING_AFTER):
                await command
        except asyncio.CancelledError:
            if not received:
                raise
            raise typer.Exit(128 + received[0][0]) from None
