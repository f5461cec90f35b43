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
    from . import config, logins

    async with signed_in(await logins.find(config.load(profile), profile)) as session:
        yield session, None


@asynccontextmanager
async def signed_in(login: "Login") -> "AsyncIterator[PresenceSession]":
    """Open a session with a login.

    Raises:
        UsageError: it was kept from `aiopresence login`, and is over.
    """
    from .. import AuthError, PresenceSession, UsageError

    try:
        async with PresenceSession(
            login.grant, server=login.server, token_store=login.store
        ) as session:
            yield session
    except AuthError as error:
        if login.profile is None or login.is_new:
            raise
        raise UsageError(
            f"the login kept for profile {login.profile} is over, it seems (HTTP"
            f" {error.http_status}): log in again with `aiopresence login`"
        ) from None


def run(command: Coroutine[Any, Any, None]) -> None:
    """Run a command; its errors are one line, and its end by Ctrl-C or a closed pipe none."""
    from .. import PresenceError, UsageError

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
        raise typer.Exit(WRONG if isinstance(error, UsageError) else FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _mute() -> None:
    """Let what is left for a closed pipe go nowhere: Python would complain at its own end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
