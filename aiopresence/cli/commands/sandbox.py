"""The command that runs the embedded test server."""

import asyncio
from typing import Annotated

import typer

from ..console import print_line, print_notice
from ..session import run_command
from ..usage import InvalidArgument

PortOption = Annotated[
    int,
    typer.Option(
        "--port", min=0, max=65535, metavar="PORT", help="Port to listen on; 0 for any free port."
    ),
]
ExtensionsOption = Annotated[
    int,
    typer.Option("--extensions", min=1, metavar="N", help="Number of extensions of the account."),
]
SeedOption = Annotated[
    int,
    typer.Option(
        "--seed", metavar="N", help="Seed of the generated account; same seed, same account."
    ),
]
RateOption = Annotated[
    float, typer.Option("--rate", min=0, metavar="R", help="Simulate R changes per second.")
]
LimitOption = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="GROUP=N",
        help="Rate limit of a group, in requests per window, such as Light=50; repeatable.",
    ),
]
WindowOption = Annotated[
    float, typer.Option("--window", min=0.1, metavar="SECONDS", help="Window of the rate limits.")
]


def sandbox(
    extensions: ExtensionsOption = 100,
    rate: RateOption = 0.0,
    limit: LimitOption = None,
    window: WindowOption = 60.0,
    seed: SeedOption = 0,
    port: PortOption = 0,
) -> None:
    """Run the embedded test server until Ctrl-C.

    It listens on the loopback interface and prints four `export` lines: paste them into another
    terminal to use it there.
    """
    run_command(_serve(extensions, rate, _parse_limits(limit or []), window, seed, port))


def _parse_limits(values: list[str]) -> dict[str, int]:
    limits = {}
    for each in values:
        group, _, number = each.partition("=")
        if not (group and number.isascii() and number.isdigit()):
            raise InvalidArgument("--limit takes GROUP=N, such as --limit Light=50")
        limits[group] = int(number)
    return limits


async def _serve(
    extensions: int, rate: float, limits: dict[str, int], window: float, seed: int, port: int
) -> None:
    from ...sandbox import Sandbox

    async with Sandbox(extensions, seed=seed, port=port, limits=limits, window=window) as platform:
        print_line(f"export RC_SERVER_URL={platform.url}")
        print_line(f"export RC_APP_CLIENT_ID={platform.client_id}")
        print_line(f"export RC_APP_CLIENT_SECRET={platform.client_secret}")
        print_line(f"export RC_USER_JWT={platform.jwt}")
        print_notice("Paste these lines into another terminal. Press Ctrl-C to stop the sandbox.")
        if rate:
            platform.simulate(rate).start()
        await asyncio.Event().wait()
