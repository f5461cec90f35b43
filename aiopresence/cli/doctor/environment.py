"""Checks of the environment: settings, files, clock, login and limits."""

import asyncio
import os
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path

from ... import NotFound, PermissionDenied, PresenceSession
from ..directory import OWN_EXTENSION
from ..logins import new_login, select_login
from ..session import open_login_session, open_session
from ..settings import config_file, load_settings, state_directory
from .context import CheckContext, CheckFailed, CheckSkipped

# Seconds by which two clocks may differ. A guess: tokens are renewed a minute before their end.
MAX_CLOCK_DIFFERENCE = 60.0
# Seconds that the user waits at most for the login to be revoked, after the last check.
REVOKE_TIMEOUT = 2.0


async def settings(context: CheckContext) -> str:
    """Load the settings, and open a session with them."""
    if context.is_sandbox:
        opening = open_session(context.sandbox, None)
        context.session, platform = await context.stack.enter_async_context(opening)
        context.server = platform.url if platform else ""
        return "embedded sandbox"
    context.settings = load_settings(context.profile)
    chosen = await select_login(context.settings, context.profile)
    if chosen.profile is None:
        # Log in anew: with tokens of an earlier login a wrong secret would not be noticed.
        chosen = new_login(context.settings.grant(), chosen.server, context.profile)
    context.server = chosen.server
    context.session = await context.stack.enter_async_context(open_login_session(chosen))
    if chosen.is_new:
        context.stack.push_async_callback(_end_login, context.session)
    sources = [f"{name} from {source}" for name, source in context.settings.sources.items()]
    if not chosen.is_new:
        sources.append(f"the saved login of profile {chosen.profile}")
    return ", ".join(sources)


async def _end_login(session: PresenceSession) -> None:
    """Revoke a login; leave it to expire if the rate limit delays the request."""
    with suppress(TimeoutError):
        async with asyncio.timeout(REVOKE_TIMEOUT):
            await session.revoke()


async def files(context: CheckContext) -> str:
    """Check that no other user can read files with secrets."""
    if context.is_sandbox:
        raise CheckSkipped("the embedded sandbox needs no files")
    if os.name != "posix":
        raise CheckSkipped("this system has no file modes")
    paths = [path for path in _secret_files(context) if path.exists()]
    for path in paths:
        if problem := _mode_problem(path):
            raise CheckFailed(problem)
    return f"readable only by you: {', '.join(map(str, paths))}" if paths else "no files"


def _secret_files(context: CheckContext) -> list[Path]:
    """Return files that may contain secrets; `.env`, often used for other things, if it does."""
    state = state_directory()
    sources = context.settings.sources if context.settings else {}
    secret_sources = {sources.get(name) for name in ("client_secret", "jwt")} - {None}
    known = context.settings is not None
    dotenv = [] if known and ".env" not in secret_sources else [Path(".env")]
    return [*dotenv, config_file(), state, state / "tokens.json"]


def _mode_problem(path: Path) -> str | None:
    mode, right = path.stat().st_mode, "700" if path.is_dir() else "600"
    if not os.access(path, os.R_OK):
        return f"{path} is not readable: chmod {right} {path}"
    # Others may list a directory: the files in it have their own modes.
    if mode & (0o022 if path.is_dir() else 0o077):
        return f"{path} is accessible to other users: chmod {right} {path}"
    return None


async def clock(context: CheckContext) -> str:
    """Compare the clock of this machine with that of the server."""
    if context.date is None:
        raise CheckSkipped("the server sends no Date header")
    text, local = context.date
    try:
        date = parsedate_to_datetime(text)
        off = local - (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        raise CheckSkipped("the server's Date header is invalid") from None
    if abs(off) > MAX_CLOCK_DIFFERENCE:
        direction = "ahead of" if off > 0 else "behind"
        raise CheckFailed(f"{abs(off):.0f} s {direction} the server: set this machine's clock")
    return f"within {max(1, round(abs(off)))} s of the server"


async def login(context: CheckContext) -> str:
    """Log in, by reading one's own record, which requires the same permission as the directory."""
    try:
        await context.session.request("GET", OWN_EXTENSION)
    except (NotFound, PermissionDenied) as error:
        if not context.session.stats.requests:
            raise  # The login was refused: no other request was sent.
        context.directory_error = error
    return "credentials accepted"


async def limits(context: CheckContext) -> str:
    """Report the rate limits that responses contained."""
    refused = context.session.stats.rate_limited
    groups = [
        f"{name} {group.limit} in {group.window:g} s"
        + ("" if group.remaining is None else f", {group.remaining} left")
        for name, group in context.session.limits.items()
    ]
    if refused:
        raise CheckFailed(
            f"{refused} response{'s' * (refused != 1)} with HTTP 429: another program uses the same"
            f" rate limits; {'; '.join(groups)}"
        )
    return "; ".join(groups)
