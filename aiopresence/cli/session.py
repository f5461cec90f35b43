"""From settings to an open session, and from errors to one line and an exit code."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import typer

from .console import note, settle
from .diagnostics import warnings
from .watch_screen.terminal import on_signals

if TYPE_CHECKING:
    from .. import PresenceSession
    from ..sandbox import Sandbox
    from .logins import Login

FAILED, WRONG, INTERRUPTED = 1, 2, 130


@asynccontextmanager
async def connected(
    sandbox: int | None, profile: str | None
) -> "AsyncIterator[tuple[PresenceSession, Sandbox | None]]":
    """Open a session: with an embedded platform, or as the settings say.

    Args:
        sandbox: the size of the embedded platform; None for a real one.
        profile: of the configuration; None for the usual one.

    Raises:
        UsageError: the settings are not complete, or wrong.
    """
    if sandbox is not None:
        from .. import PresenceSession
        from ..sandbox import Sandbox

        # Its minute is a second, so that trying things takes no patience.
        async with (
            Sandbox(sandbox, window=1.0) as platform,
            PresenceSession(platform.grant, server=platform.url) as session,
        ):
            yield session, platform
        return
    from . import logins, settings

    async with signed_in(await logins.find(settings.load(profile), profile)) as session:
        yield session, None


@asynccontextmanager
async def signed_in(login: "Login") -> "AsyncIterator[PresenceSession]":
    """Open a session with a login.

    Raises:
        UsageError: it was kept from `aiopresence login`, and is over.
    """
    from .. import AuthError, PresenceSession, UsageError
    from ..auth_advice import advice_for

    try:
        async with PresenceSession(
            login.grant, server=login.server, token_store=login.store
        ) as session:
            yield session
    except AuthError as error:
        if login.profile is None or login.is_new or not error.final:
            raise
        said = f"HTTP {error.http_status} {error.error_code or ''}".strip()
        advice = advice_for(error.error_code)
        raise UsageError(
            f"the login kept for profile {login.profile} is over, it seems ({said}): log in again"
            f" with `aiopresence login`{f'; {advice}' if advice else ''}"
        ) from None


def run(command: Coroutine[Any, Any, None]) -> None:
    """Run a command; its errors are one line, and its end by Ctrl-C or a closed pipe none."""
    from .. import PresenceError, UsageError

    try:
        with warnings(lambda warning: note(f"aiopresence: {warning}")):
            asyncio.run(_until_signal(command))
    except BrokenPipeError:
        pass  # Whoever read the output has enough.
    except (PresenceError, OSError) as error:
        note(f"aiopresence: {error}")
        raise typer.Exit(WRONG if isinstance(error, UsageError) else FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        settle()


async def _until_signal(command: Coroutine[Any, Any, None]) -> None:
    """Run a command; end it as Ctrl-C does, so that it cleans up, when a signal asks for it.

    Raises:
        Exit: with the code that shells give to a process that the signal has ended.
    """
    task = asyncio.current_task()
    received: list[int] = []

    def end(number: int) -> None:
        received.append(number)
        if task is not None:
            task.cancel()

    with on_signals(dict.fromkeys(("SIGTERM", "SIGHUP", "SIGQUIT"), end)):
        try:
            await command
        except asyncio.CancelledError:
            if not received:
                raise
            raise typer.Exit(128 + received[0]) from None
