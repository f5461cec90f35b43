"""The commands that follow many accounts over Redis, and show who follows which."""

from collections.abc import Callable
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..accounts import read_accounts
from ..columns import Column
from ..console import print_notice
from ..options import DetailedOption, OutputOption
from ..output import Layout, OutputFormat, one_row
from ..session import run_command

if TYPE_CHECKING:
    from ... import PresenceSession
    from ...redis import FleetStatus, FollowedAccount
    from ..settings import Settings

# An account whose events have been silent for longer lags: a live connection is never silent so
# long, see `PresenceBoard.age`.
_LAGS_AFTER = 30.0

RedisOption = Annotated[
    str,
    typer.Option(
        "--redis",
        envvar="AIOPRESENCE_REDIS_URL",
        metavar="URL",
        help="Redis to share over. A URL with a password belongs into the environment, because"
        " other users of the machine see arguments.",
    ),
]
FleetOption = Annotated[str, typer.Option("--fleet", metavar="NAME", help="Name of the fleet.")]
AccountsOption = Annotated[
    Path,
    typer.Option(
        "--accounts",
        metavar="FILE",
        help="TOML file with a table [account.NAME] for each account: client_id, client_secret,"
        " jwt, and server_url if it is not production.",
    ),
]
LeaseOption = Annotated[
    float,
    typer.Option(
        "--lease", min=1.0, metavar="SECONDS", help="When to continue accounts of a dead process."
    ),
]
_TOKEN_KEY = "AIOPRESENCE_TOKEN_KEY"  # noqa: S105 - the name of a variable


def follow(
    redis: RedisOption,
    accounts: AccountsOption,
    detailed: DetailedOption = False,
    fleet: FleetOption = "default",
    lease: LeaseOption = 15.0,
) -> None:
    """Follow the presence of many accounts, and share it over Redis.

    Start any number of processes with the same accounts: each follows a part of them, and when one
    ends, the others continue what it has followed. Programs read the presence with
    session.board(shared=RedisBoard(url, role="read")).

    Limits and logins are shared over the same Redis. Logins are encrypted there if
    AIOPRESENCE_TOKEN_KEY has a key of cryptography's Fernet.
    """
    run_command(_follow(redis, accounts, fleet, detailed=detailed, lease=lease))


async def _follow(redis: str, file: Path, name: str, *, detailed: bool, lease: float) -> None:
    from ...redis import Fleet

    sessions = _session_makers(redis, read_accounts(file))
    fleet = Fleet(redis, sessions, name=name, detailed=detailed, lease=lease)
    print_notice(f"aiopresence: following {len(sessions)} accounts with the fleet {name}")
    await fleet.run()


def _session_makers(
    redis: str, accounts: "dict[str, Settings]"
) -> "dict[str, Callable[[], PresenceSession]]":
    import os

    from ... import PresenceSession
    from ...redis import RedisLimits, RedisTokenStore

    limits, store = RedisLimits(redis), RedisTokenStore(redis, key=os.environ.get(_TOKEN_KEY))
    return {
        name: partial(
            PresenceSession,
            settings.grant(),
            server=settings.server_url,
            limits=limits,
            token_store=store,
        )
        for name, settings in accounts.items()
    }


def fleet(
    redis: RedisOption,
    name: FleetOption = "default",
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show which process follows which account, and how fresh its presence is.

    The state of an account is live; lags: nothing arrives for it, or something is being read again;
    failed: see the error; or unfollowed: no process has it at present. Exit code 1 if any account
    is not live.
    """

    async def command() -> None:
        from ...redis import read_fleet

        status = await read_fleet(redis, name=name)
        with output.renderer(_LAYOUT) as renderer:
            for account in status.accounts.values():
                renderer.write(account)
        _print_summary(status)
        if any(_state(account) != "live" for account in status.accounts.values()):
            raise typer.Exit(1)

    run_command(command())


def _print_summary(status: "FleetStatus") -> None:
    states = [_state(account) for account in status.accounts.values()]
    counts = ", ".join(f"{states.count(each)} {each}" for each in dict.fromkeys(states))
    processes = f"{len(status.processes)} process{'es' * (len(status.processes) != 1)}"
    print_notice(f"aiopresence: {processes}, {len(states)} accounts{counts and f': {counts}'}")


def _state(account: "FollowedAccount") -> str:
    if account.process is None:
        return "unfollowed"
    if account.error is not None:
        return "failed"
    return "live" if account.is_live and account.age < _LAGS_AFTER else "lags"


def _cells(account: "FollowedAccount") -> list[Any]:
    age = f"{account.age:.1f}" if isfinite(account.age) else None
    return [
        *(account.name, _state(account), account.process),
        *(account.extensions, age, account.error),
    ]


def _document(account: "FollowedAccount") -> dict[str, Any]:
    return {
        "account": account.name,
        "state": _state(account),
        "process": account.process,
        "extensions": account.extensions,
        "age": round(account.age, 3) if isfinite(account.age) else None,
        "error": account.error,
    }


_LAYOUT = Layout(
    {
        "account": Column(24, least=12),
        "state": Column(10),
        "process": Column(30, least=14, drop=1),
        "extensions": Column(10),
        "age": Column(6),
        "problem": Column(40, least=12),
    },
    one_row(_cells),
    _document,
)
