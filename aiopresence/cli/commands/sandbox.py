"""The command that runs the embedded platform."""

import asyncio
from typing import Annotated

import typer

from ..console import note, show
from ..session import run

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 is any.")]
Extensions = Annotated[int, typer.Option(min=1, help="How many extensions the account has.")]
Seed = Annotated[int, typer.Option(help="The same seed makes the same account.")]
Rate = Annotated[float, typer.Option(min=0, help="Changes a second: calls, statuses, meetings.")]
Limit = Annotated[
    list[str] | None,
    typer.Option(metavar="GROUP=N", help="Requests per window of a group, such as Light=50."),
]
Window = Annotated[float, typer.Option(min=0.1, help="Seconds in which the limits are counted.")]


def sandbox(
    extensions: Extensions = 100,
    rate: Rate = 0.0,
    limit: Limit = None,
    window: Window = 60.0,
    seed: Seed = 0,
    port: Port = 0,
) -> None:
    """Run an embedded platform, to try things on.

    It is on loopback, and ends with Ctrl-C. It prints four lines to paste into another terminal.
    """
    run(_serve(extensions, rate, _limits(limit or []), window, seed, port))


def _limits(given: list[str]) -> dict[str, int]:
    limits = {}
    for each in given:
        group, _, number = each.partition("=")
        if not (group and number.isascii() and number.isdigit()):
            raise typer.BadParameter("--limit is GROUP=N, such as --limit Light=50")
        limits[group] = int(number)
    return limits


async def _serve(
    extensions: int, rate: float, limits: dict[str, int], window: float, seed: int, port: int
) -> None:
    from ...sandbox import Sandbox

    async with Sandbox(extensions, seed=seed, port=port, limits=limits, window=window) as platform:
        show(f"export RC_SERVER_URL={platform.url}")
        show(f"export RC_APP_CLIENT_ID={platform.client_id}")
        show(f"export RC_APP_CLIENT_SECRET={platform.client_secret}")
        show(f"export RC_USER_JWT={platform.jwt}")
        note("Paste these into another terminal. Ctrl-C stops the sandbox.")
        if rate:
            platform.simulate(rate).start()
        await asyncio.Event().wait()
