"""The command that shows the rate limits."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..columns import Column
from ..options import OutputOption, ProfileOption, SandboxOption
from ..output import Layout, OutputFormat, one_row
from ..session import open_session, run_command

if TYPE_CHECKING:
    from ... import GroupLimits, PresenceSession

_Call = Callable[[], Coroutine[Any, Any, object]]
AllGroupsOption = Annotated[
    bool, typer.Option("--all", help="Query the groups Medium and Heavy, too: one request each.")
]


def limits(
    every: AllGroupsOption = False,
    output: OutputOption = OutputFormat.TABLE,
    sandbox: SandboxOption = None,
    profile: ProfileOption = None,
) -> None:
    """Show the rate limits, and how much of them is left.

    RingCentral reports limits only in responses, so this reads your own presence: one request of
    the group Light. It does not wait: if a group is blocked, blockedFor is the number of seconds.
    The window is in seconds, too.
    """

    async def command() -> None:
        async with open_session(sandbox, profile) as (session, _):
            await _send_requests(session, every)
            with output.renderer(_LAYOUT) as renderer:
                for item in session.limits.items():
                    renderer.write(item)

    run_command(command())


async def _send_requests(session: "PresenceSession", every: bool) -> None:
    """Send a request of each group, so that the responses report its limit."""
    calls: dict[str, _Call] = {"Light": session.read_user_presence_status}
    if every:
        calls["Medium"] = session.read_unified_presence
        calls["Heavy"] = partial(session.read_account_presence, per_page=1)
    await asyncio.gather(*(_unless_blocked(session, group, call) for group, call in calls.items()))


async def _unless_blocked(session: "PresenceSession", group: str, call: _Call) -> None:
    """Make a call, but cancel it once its group, or that of logins, is blocked."""
    task = asyncio.create_task(call())
    try:
        while not task.done() and not _is_blocked(session, group, "Auth"):
            await asyncio.wait([task], timeout=0.1)
        if task.done():
            await task
    finally:
        task.cancel()


def _is_blocked(session: "PresenceSession", *groups: str) -> bool:
    known = session.limits
    return any(known[name].blocked_for > 0 for name in groups if name in known)


def _cells(item: "tuple[str, GroupLimits]") -> list[Any]:
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


_LAYOUT = Layout(
    {
        "group": Column(8),
        "limit": Column(6),
        "window": Column(10, heading="window (s)"),
        "remaining": Column(9),
        "blockedFor": Column(11, heading="blocked (s)"),
    },
    one_row(_cells),
    _document,
)
