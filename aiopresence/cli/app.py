"""The commands, over the public API only."""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Annotated, Any

import typer

from .. import BatchResult, GetPresenceInfo, Outcome, PresenceError, PresenceSession, UsageError
from ..sandbox import Sandbox

app = typer.Typer(
    help="RingCentral presence on the command line.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

COLUMNS = "{:<20} {:<9} {:<10} {:<14} {:<10} {}"
HEADER = ("ID", "EXTENSION", "PRESENCE", "TELEPHONY", "USER", "DND")

Ids = Annotated[list[str] | None, typer.Argument(help="Extension ids; ~ is your own.")]
WithSandbox = Annotated[
    int | None,
    typer.Option("--sandbox", min=1, help="Read this many extensions of an embedded platform."),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 is any.")]
Extensions = Annotated[int, typer.Option(min=1, help="How many extensions the account has.")]
Seed = Annotated[int, typer.Option(help="The same seed makes the same account.")]


@app.command(epilog="Example: aiopresence read --sandbox 1000")
def read(ids: Ids = None, sandbox: WithSandbox = None) -> None:
    """Read the presence of extensions, in batches.

    Credentials come from the environment, as README says.

    With --sandbox no credentials are needed; without ids all extensions of the sandbox are read.
    """
    _run(_read(ids or [], sandbox))


@app.command(name="sandbox", epilog="Example: aiopresence sandbox --extensions 200")
def run_sandbox(port: Port = 0, extensions: Extensions = 100, seed: Seed = 0) -> None:
    """Run an embedded platform on loopback, to try things on, until Ctrl-C."""
    _run(_serve(Sandbox(extensions, seed=seed, port=port)))


async def _read(ids: list[str], sandbox_size: int | None) -> None:
    async with AsyncExitStack() as stack:
        if sandbox_size is None:
            session = PresenceSession.from_env()
        else:
            sandbox = await stack.enter_async_context(Sandbox(sandbox_size))
            session = PresenceSession(sandbox.grant, server=sandbox.url)
            ids = ids or list(sandbox.extension_ids)
        if not ids:
            raise UsageError("name the extension ids to read, or ~ for your own")
        await stack.enter_async_context(session)
        started = time.monotonic()
        result = await session.read_user_presence_statuses(ids)
        typer.echo(COLUMNS.format(*HEADER))
        for outcome in result:
            typer.echo(_row(outcome))
        typer.echo(_summary(session, result, time.monotonic() - started), err=True)
        if result.errors:
            raise typer.Exit(1)


def _row(outcome: Outcome[GetPresenceInfo]) -> str:
    if outcome.value is None:
        return f"{outcome.id:<20} {outcome.error}"
    record = outcome.value
    fields = (
        record.extension.extension_number if record.extension else None,
        record.presence_status,
        record.telephony_status,
        record.user_status,
        record.dnd_status,
    )
    # What a server says must not steer the terminal.
    safe = ("".join(c if c.isprintable() else "?" for c in field or "-") for field in fields)
    return COLUMNS.format(outcome.id, *safe).rstrip()


def _summary(session: PresenceSession, result: BatchResult[GetPresenceInfo], seconds: float) -> str:
    requests = session.stats.requests
    failures = f", {len(result.errors):,} failed" if result.errors else ""
    return (
        f"Read {len(result):,} extension{'s' * (len(result) != 1)}"
        f" in {requests:,} request{'s' * (requests != 1)}, {seconds:.1f} s{failures}."
    )


async def _serve(sandbox: Sandbox) -> None:
    async with sandbox:
        typer.echo(f"export RC_SERVER_URL={sandbox.url}")
        typer.echo(f"export RC_APP_CLIENT_ID={sandbox.client_id}")
        typer.echo(f"export RC_APP_CLIENT_SECRET={sandbox.client_secret}")
        typer.echo(f"export RC_USER_JWT={sandbox.jwt}")
        typer.echo("Paste these into another terminal. Ctrl-C stops the sandbox.", err=True)
        await asyncio.Event().wait()


def _run(command: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(command)
    except (PresenceError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise  # typer ends the command quietly when nobody reads any more.
        typer.echo(f"aiopresence: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
