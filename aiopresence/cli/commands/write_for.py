"""`set --for`: change presence for a while, and restore it at the end or when interrupted."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from ..console import print_notice, show_temporary_line
from ..conversion import plain
from ..extension_args import resolve_id
from ..progress import Progress
from ..session import open_session
from .write_diff import Change, Run, print_changes


async def set_for(
    id_: str | None, number: str | None, fields: Mapping[str, Any], seconds: int, run: Run
) -> None:
    """Change an extension, print the difference, wait, and restore what it was.

    Args:
        id_: the id of the extension; None for one's own, or that with the number.
        number: the number of the extension, or None.
        fields: the fields to change.
        seconds: how long the change lasts.
        run: the other options.
    """
    from ... import PresenceInfoRequest

    body = PresenceInfoRequest(**fields)
    async with open_session(run.sandbox, run.profile) as (session, _), AsyncExitStack() as stack:
        async with Progress(session, None):
            id_ = await resolve_id(session, id_, number) or "~"
            temporary = session.temporary_presence(body, extension_id=id_)
            records = await stack.enter_async_context(temporary)
        changed = Change(id_, plain(records.before), plain(records.applied))
        print_changes(run.output, [changed], run.dry_run)
        if not _differing(fields, records.before, records.applied):
            print_notice("There is nothing to restore.")
            return
        try:
            await _wait(seconds)
        except asyncio.CancelledError as error:
            async with Progress(session, None):
                await _restore_after(error, stack)
            raise
        async with Progress(session, None):
            await stack.aclose()
            now = await session.read_user_presence_status(id_)
    _print_end(fields, records.before, now)


async def _restore_after(error: asyncio.CancelledError, stack: AsyncExitStack) -> None:
    """Restore the presence after a signal, and print whether that has worked."""
    print_notice("Restoring.")
    await stack.__aexit__(type(error), error, error.__traceback__)
    # What remains is in a note and in the log, which is shown.
    if not hasattr(error, "__notes__"):
        print_notice("Restored.")


async def _wait(seconds: int) -> None:
    """Show how long the change still lasts on a terminal, and wait.

    The time in which the computer sleeps counts.
    """
    end = time.time() + seconds
    print_notice(
        f"Restoring at {time.strftime('%H:%M:%S', time.localtime(end))}; Ctrl-C restores now."
    )
    while (left := end - time.time()) > 0:
        show_temporary_line(f"restoring in {_clock(left)}")
        await asyncio.sleep(min(left, 1.0))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _differing(fields: Mapping[str, Any], before: Any, now: Any) -> list[str]:
    """Return the names of those fields to change that differ between two records."""
    names = [name for name, value in fields.items() if value is not None]
    return [name for name in names if (getattr(now, name) or "") != (getattr(before, name) or "")]


def _print_end(fields: Mapping[str, Any], before: Any, now: Any) -> None:
    """Print that the presence is restored, and what somebody else has changed meanwhile."""
    stays = _differing(fields, before, now)
    values = ", ".join(f"{name} ({plain(getattr(now, name))})" for name in stays)
    print_notice(f"Restored, but for what others have changed: {values}." if stays else "Restored.")
