"""The commands that log in and out, and show the current login."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..columns import Column
from ..console import output_is_optional, print_line, print_notice
from ..directory import read_own_extension
from ..options import OutputOption, ProfileOption, SandboxOption
from ..output import Layout, OutputFormat
from ..session import open_login_session, open_session, run_command

if TYPE_CHECKING:
    from ... import AuthorizationCodeGrant, JwtGrant
    from ..logins import Login
    from ..settings import Settings

PortOption = Annotated[
    int,
    typer.Option(
        "--port",
        min=1,
        max=65535,
        metavar="PORT",
        help="Port of the redirect URI, to which the browser returns after the login.",
    ),
]
NoBrowserOption = Annotated[
    bool,
    typer.Option(
        "--no-browser", help="Print the address of the login page, but do not open a browser."
    ),
]


def login(
    port: PortOption = 8765, no_browser: NoBrowserOption = False, profile: ProfileOption = None
) -> None:
    """Log in and save the login for later commands.

    With a JWT in the settings, log in with it; for as long as the login lasts, the settings no
    longer need the JWT. Without one, open RingCentral's login page in the browser and wait up to
    five minutes for you to log in. That requires the client id in the settings, the client secret
    if the app has one, and the redirect URI http://localhost:8765/callback (with the port of
    --port) in the app's configuration in RingCentral's developer console.

    The tokens are saved for the profile in your state directory, readable only by you, until
    `aiopresence logout`. RingCentral ends a login that is not used for a week.
    """
    run_command(_login(port, not no_browser, profile))


async def _login(port: int, open_browser: bool, profile: str | None) -> None:
    from ..logins import new_login, save_login
    from ..settings import load_settings

    settings = load_settings(profile)
    # First, so that nobody logs in for nothing.
    _check_state_directory()
    grant: JwtGrant | AuthorizationCodeGrant
    if settings.jwt is not None:
        grant = settings.grant()
    else:
        from ..browser_login import log_in

        grant = await log_in(settings, port, open_browser=open_browser)
    login = new_login(grant, settings.server_url, profile)
    async with open_login_session(login) as session:
        record = await read_own_extension(session)
    await save_login(login)
    number = record.get("extensionNumber")
    user = f" as extension {number}" if number else ""
    with output_is_optional():
        print_line(f"Logged in to {login.server}{user}, {_validity(login, settings)}.")


def _check_state_directory() -> None:
    from ... import UsageError
    from ..logins import create_state_directory
    from ..settings import state_directory

    try:
        create_state_directory()
    except OSError as error:
        raise UsageError(
            f"cannot save a login in {state_directory()}: {error.strerror}; set XDG_STATE_HOME to"
            " another directory, or use a JWT"
        ) from None


def logout(profile: ProfileOption = None) -> None:
    """Log out and revoke the tokens.

    They are revoked at RingCentral and deleted from your state directory. Without a login, this
    does nothing and succeeds. A JWT stays in the settings: the next command logs in with it again.
    """
    run_command(_logout(profile))


async def _logout(profile: str | None) -> None:
    from ..logins import jwt_login, load_login, profile_name
    from ..settings import load_settings

    settings = load_settings(profile)
    logins = [await load_login(settings, profile)]
    if settings.jwt is not None:
        logins.append(jwt_login(settings))
    count = 0
    for login in logins:
        if login is None:
            continue
        async with open_login_session(login) as session:
            await session.revoke()
        if login.store.last is not None:
            count += 1
            with output_is_optional():
                print_line(f"Logged out of {login.server}: {_name(login)} revoked and deleted.")
    if not count:
        print_line(f"Not logged in (profile {profile_name(profile)}).")
    if settings.jwt is not None:
        print_notice(
            f"The JWT in {settings.sources['jwt']} is still set: the next command logs in with it"
            " again."
        )


def whoami(
    output: OutputOption = OutputFormat.TABLE,
    sandbox: SandboxOption = None,
    profile: ProfileOption = None,
) -> None:
    """Show your extension and the login in use.

    Also shows the source of each setting. All settings come from one source: the environment, .env
    in the working directory, or the profile in the configuration file. Secrets are never shown.
    Without a saved login, this logs in with the JWT of the settings, as every command does.
    """
    run_command(_whoami(output, sandbox, profile))


async def _whoami(output: OutputFormat, sandbox: int | None, profile: str | None) -> None:
    facts: dict[str, str]
    sources: dict[str, str] = {}
    if sandbox is not None:
        async with open_session(sandbox, profile) as (session, platform):
            record = await read_own_extension(session)
            facts = {"server": platform.url if platform else "", "login": "embedded sandbox"}
    else:
        from ..logins import profile_name, select_login
        from ..settings import load_settings

        settings = load_settings(profile)
        sources = dict(settings.sources)
        login = await select_login(settings, profile)
        async with open_login_session(login) as session:
            record = await read_own_extension(session)
        if login.store.has_new_login:
            print_notice(f"Logged in with the JWT in {sources['jwt']}.")
        facts = {
            "server": login.server,
            "profile": profile_name(profile),
            "login": _name(login),
            "until": _validity(login, settings).removeprefix("until "),
        }
    with output.renderer(_FACTS) as renderer:
        renderer.write({**facts, **_extension_facts(record), "settings": sources})


def _extension_facts(record: dict[str, Any]) -> dict[str, str]:
    if not record:
        return {"extensionId": "unknown: the app or the user lacks the permission ReadAccounts"}
    account = record.get("account")
    facts = {
        "accountId": account.get("id") if isinstance(account, dict) else None,
        "extensionId": record.get("id"),
        "extensionNumber": record.get("extensionNumber"),
        "name": record.get("name"),
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def _name(login: "Login") -> str:
    return "login with the JWT" if login.profile is None else f"login of profile {login.profile}"


def _validity(login: "Login", settings: "Settings") -> str:
    """Return until when a login is valid, and what extends it."""
    last = login.store.last or {}
    if settings.jwt is not None and login.profile is None:
        return f"until {_time_text(last.get('expires_time'))}, renewed with the JWT"
    if not last.get("refresh_token"):
        return f"until {_time_text(last.get('expires_time'))}"
    return f"until {_time_text(last.get('refresh_expires_time'))}, extended by each use"


def _time_text(seconds: object) -> str:
    if not isinstance(seconds, (int, float)):
        return "an unknown time"
    try:
        return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "minutes")
    except (OverflowError, OSError, ValueError):
        return "an unknown time"


def _fact_rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    sources: dict[str, str] = facts["settings"]
    rows = [(name, value) for name, value in facts.items() if name != "settings"]
    return [*rows, *((name, f"from {source}") for name, source in sources.items())]


_FACTS = Layout(
    {"field": Column(15), "value": Column(0)}, _fact_rows, document=dict, is_single=True
)
