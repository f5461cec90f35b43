"""The line on standard error that ends a command that reads."""

from typing import TYPE_CHECKING

import typer

from .console import print_notice
from .session import EXIT_FAILED

if TYPE_CHECKING:
    from .. import PresenceSession


def finish(
    session: "PresenceSession",
    count: int,
    noun: str,
    *,
    hidden: int = 0,
    failed: int = 0,
    seconds: float | None = None,
) -> None:
    """Print how many items were read, with how many requests.

    Args:
        session: which has sent the requests.
        count: the number of items, those that failed included.
        noun: what one item is called.
        hidden: the number of items that did not pass a filter.
        failed: the number of items that could not be read.
        seconds: the duration; None to omit it.

    Raises:
        Exit: with code 1, if an item could not be read.
    """
    requests = session.stats.requests
    duration = "" if seconds is None else f", {seconds:.1f} s"
    shown = f", {count - hidden:,} shown" if hidden else ""
    failures = f", {failed:,} failed" if failed else ""
    print_notice(
        f"Read {count:,} {noun}{'s' * (count != 1)}"
        f" in {requests:,} request{'s' * (requests != 1)}{duration}{shown}{failures}."
    )
    if failed:
        raise typer.Exit(EXIT_FAILED)
