"""The commands that follow many accounts over Redis, and show who follows which."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    from ...redis import FleetStatus, FollowedAccount, RedisTokenStore

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
    with _packages_required():
        from ...redis import Fleet

    sessions = _session_makers(redis, file)
    fleet = Fleet(redis, sessions, name=name, detailed=detailed, lease=lease)
    print_notice(f"aiopresence: following {_counted(len(sessions))} with the fleet {name}")
    await fleet.run()


def _session_makers(redis: str, file: Path) -> "dict[str, Callable[[], PresenceSession]]":
    """Return what makes the session of each account, after it has made one to check the account.

    Raises:
        UsageError: something is wrong with an account or with the arguments.
    """
    from ... import PresenceSession, UsageError
    from ...redis import RedisLimits

    limits, store = RedisLimits(redis), _token_store(redis)
    makers = dict[str, Callable[[], PresenceSession]]()
    for name, settings in read_accounts(file).items():
        try:
            makers[name] = make = partial(
                PresenceSession,
                settings.grant(),
                server=settings.server_url,
                limits=limits,
                token_store=store,
                trust_env=True,
            )
            make()
        except UsageError as error:
            raise UsageError(f"{file}, account.{name}: {error}") from None
    return makers


def _token_store(redis: str) -> "RedisTokenStore":
    import os

    from ... import UsageError
    from ...redis import RedisTokenStore

    key = os.environ.get(_TOKEN_KEY)
    try:
        with _packages_required():
            return RedisTokenStore(redis, key=key)
    except UsageError as error:
        raise error if key is None else UsageError(f"{_TOKEN_KEY}: {error}") from None


@contextmanager
def _packages_required() -> Iterator[None]:
    """Raise UsageError for a package that is not installed."""
    from ... import UsageError

    try:
        yield
    except ImportError as error:
        raise UsageError(str(error)) from None


def fleet(
    redis: RedisOption,
    name: FleetOption = "default",
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show which process follows which account, and how fresh its presence is.

    The state of an account is live; lags: nothing arrives for it, or something is being read again;
    failed: see the error; or unfollowed: no process has it at present. Exit code 1 if any account
    is not live, or there is none.
    """

    async def command() -> None:
        with _packages_required():
            from ...redis import read_fleet

        status = await read_fleet(redis, name=name)
        with output.renderer(_LAYOUT) as renderer:
            for account in status.accounts.values():
                renderer.write(account)
        if not status.accounts:
            print_notice(
                f"aiopresence: no process has followed any account with the fleet {name} over this"
                " Redis within the last day; see `aiopresence follow`"
            )
            raise typer.Exit(1)
        _print_summary(status)
        if any(_state(account) != "live" for account in status.accounts.values()):
            raise typer.Exit(1)

    run_command(command())


def _print_summary(status: "FleetStatus") -> None:
    states = [_state(account) for account in status.accounts.values()]
    counts = {each: states.count(each) for each in dict.fromkeys(states)}
    parts = [f"{n} {'lag' if each == 'lags' and n > 1 else each}" for each, n in counts.items()]
    processes = f"{len(status.processes)} process{'es' * (len(status.processes) != 1)}"
    print_notice(f"aiopresence: {processes}, {_counted(len(states))}: {', '.join(parts)}")


def _counted(accounts: int) -> str:
    return f"{accounts} account{'s' * (accounts != 1)}"


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
