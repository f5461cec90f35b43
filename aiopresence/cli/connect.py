"""From settings to an open session, and from errors to one line and an exit code."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from .. import PresenceSession
    from ..sandbox import Sandbox

FAILED, INTERRUPTED = 1, 130


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
    from .. import PresenceSession

    if sandbox is not None:
        from ..sandbox import Sandbox

        # Its minute is a second, so that trying things takes no patience.
        async with (
            Sandbox(sandbox, window=1.0) as platform,
            PresenceSession(platform.grant, server=platform.url) as session,
        ):
            yield session, platform
        return
    from . import config, logins

    settings = config.load(profile)
    grant, store = logins.find(settings)
    async with PresenceSession(grant, server=settings.server_url, token_store=store) as session:
        yield session, None


def run(command: Coroutine[Any, Any, None]) -> None:
    """Run a command; its errors are one line, and its end by Ctrl-C or a closed pipe none."""
    from .. import PresenceError

    try:
        try:
            asyncio.run(command)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has enough.
        _mute()
    except (PresenceError, OSError) as error:
        typer.echo(f"aiopresence: {error}", err=True)
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _mute() -> None:
    """Let what is left for a closed pipe go nowhere: Python would complain at its own end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
