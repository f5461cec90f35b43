"""The command that shows the rate limits."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..columns import Column
from ..options import As, Output, Profile, WithSandbox
from ..output import Writer
from ..session import connected, run

if TYPE_CHECKING:
    from ... import GroupLimits, PresenceSession

LIMITS = {
    "group": Column(8),
    "limit": Column(6),
    "window": Column(7),
    "remaining": Column(9),
    "blockedFor": Column(10),
}

All = Annotated[bool, typer.Option("--all", help="Ask for one thing of each group.")]


def limits(
    all_: All = False,
    output: As = Output.TABLE,
    sandbox: WithSandbox = None,
    profile: Profile = None,
) -> None:
    """Show how much of the rate limits is left.

    There is no other way to learn it than to ask for something: your own presence, which is one
    request of the group Light. It never waits: a group that is shut says for how many seconds
    (blockedFor). Window is in seconds, too.
    """

    async def command() -> None:
        async with connected(sandbox, profile) as (session, _):
            await _ask(session, all_)
            with Writer(output, LIMITS, _row, _document) as writer:
                for item in session.limits.items():
                    writer.write(item)

    run(command())


async def _ask(session: "PresenceSession", every: bool) -> None:
    """Send requests, so that the answers tell of their limits."""
    calls: dict[str, Coroutine[Any, Any, object]] = {"Light": session.read_user_presence_status()}
    if every:
        calls["Medium"] = session.read_unified_presence()
        calls["Heavy"] = session.read_account_presence(per_page=1)
    # All at once, so that none is left over when one of them fails.
    await asyncio.gather(*(_unless_shut(session, group, call) for group, call in calls.items()))


async def _unless_shut(
    session: "PresenceSession", group: str, call: Coroutine[Any, Any, object]
) -> None:
    """Make a call, but wait for nothing once its group, or that of logins, is shut."""
    task = asyncio.ensure_future(call)
    try:
        while not task.done() and not _shut(session, group, "Auth"):
            await asyncio.wait([task], timeout=0.1)
        if task.done():
            await task
    finally:
        task.cancel()


def _shut(session: "PresenceSession", *groups: str) -> bool:
    known = session.limits
    return any(known[name].blocked_for > 0 for name in groups if name in known)


def _row(item: "tuple[str, GroupLimits]") -> list[Any]:
    name, group = item
    remaining = group.remaining
    return [name, group.limit, f"{group.window:g}", remaining, f"{group.blocked_for:.0f}"]


def _document(item: "tuple[str, GroupLimits]") -> dict[str, Any]:
    name, group = item
    return {
        "group": name,
        "limit": group.limit,
        "window": group.window,
        "remaining": group.remaining,
        "blockedFor": round(group.blocked_for, 3),
    }
