"""The commands that log in and out, and say who one is."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import after_success, show, show_json
from ..options import Output, Profile, WithSandbox
from ..session import connected, run, signed_in

if TYPE_CHECKING:
    from ... import AuthorizationCodeGrant, JwtGrant, PresenceSession
    from ..logins import Login
    from ..settings import Settings

ME = "/restapi/v1.0/account/~/extension/~"

Port = Annotated[
    int,
    typer.Option(
        min=1, max=65535, help="Where the browser comes back to: part of the app's redirect URI."
    ),
]
NoBrowser = Annotated[
    bool, typer.Option("--no-browser", help="Only print the address of the login page.")
]


class Form(StrEnum):
    """How an answer that is one is written."""

    TABLE = "table"
    JSON = "json"


As = Annotated[Form, typer.Option("--output", "-o", help="How to write the results.")]


def login(port: Port = 8765, no_browser: NoBrowser = False, profile: Profile = None) -> None:
    """Log in, once for many commands.

    With a JWT in the settings that is all it needs, and it may be taken out of them afterwards
    for as long as the login lasts. Without one it opens RingCentral's login page
    in the browser and waits five minutes for somebody to log in. For that the settings need the
    client id, and the client secret if the app has one; and the app, in RingCentral's developer
    console, the redirect URI http://localhost:8765/callback (with the port of --port).

    The tokens are kept for the profile in your state directory, readable by you only, until
    `aiopresence logout`. RingCentral ends a login that was not used for a week.
    """
    run(_login(port, not no_browser, profile))


async def _login(port: int, browser: bool, profile: str | None) -> None:
    from .. import logins, settings as config

    settings = config.load(profile)
    # First, so that nobody logs in for nothing.
    _check_state()
    grant: JwtGrant | AuthorizationCodeGrant
    if settings.jwt is not None:
        grant = settings.grant()
    else:
        from ..browser_login import log_in

        grant = await log_in(settings, port, browser=browser)
    found = logins.begin(grant, settings.server_url, profile)
    async with signed_in(found) as session:
        record = await me(session)
    await logins.keep(found)
    who = f"extension {record['extensionNumber']}" if record.get("extensionNumber") else "you"
    with after_success():
        show(f"Logged in to {found.server} as {who}, {_until(found, settings)}.")


def _check_state() -> None:
    from ... import UsageError
    from .. import logins, settings as config

    try:
        logins.prepare()
    except OSError as error:
        raise UsageError(
            f"the login could not be kept in {config.state_directory()}: {error.strerror}; name"
            " another place in XDG_STATE_HOME, or use a JWT"
        ) from None


def logout(profile: Profile = None) -> None:
    """End the login, at RingCentral and here.

    Its tokens are revoked at RingCentral and removed from your state directory. Without a login
    there is nothing to do, which is no error.
    """
    run(_logout(profile))


async def _logout(profile: str | None) -> None:
    from .. import logins, settings as config

    settings = config.load(profile)
    found = [await logins.kept(settings, profile)]
    if settings.jwt is not None:
        found.append(logins.with_jwt(settings))
    ended = 0
    for each in found:
        if each is None:
            continue
        async with signed_in(each) as session:
            await session.revoke()
        if each.store.last is not None:
            ended += 1
            how = _how(each)
            with after_success():
                show(f"Forgot the tokens of the {how}, and told {each.server} to end it.")
    if not ended:
        show(f"Not logged in, profile {logins.name(profile)}.")


def whoami(output: As = Form.TABLE, sandbox: WithSandbox = None, profile: Profile = None) -> None:
    """Say who you are for RingCentral, by which login, and where each setting came from.

    All settings are from one place: the environment, .env in the working directory, or the profile
    in the configuration file. What they are is never shown.
    """
    run(_whoami(output, sandbox, profile))


async def _whoami(output: Form, sandbox: int | None, profile: str | None) -> None:
    if sandbox is not None:
        async with connected(sandbox, profile) as (session, platform):
            server = platform.url if platform else ""
            facts = {"server": server, "login": "embedded platform", **_person(await me(session))}
        _show(facts, {}, output)
        return
    from .. import logins, settings as config

    settings = config.load(profile)
    found = await logins.find(settings, profile)
    async with signed_in(found) as session:
        record = await me(session)
    facts = {
        "server": found.server,
        "profile": logins.name(profile),
        "login": _how(found),
        "until": _until(found, settings).removeprefix("until "),
        **_person(record),
    }
    _show(facts, settings.sources, output)


async def me(session: "PresenceSession") -> dict[str, Any]:
    """Read one's own extension; an empty one when that is not allowed.

    Source: RingCentral API reference, "Get Extension"; group Light, permission ReadAccounts.

    Raises:
        PresenceError: the login does not work.
    """
    from ... import NotFound, PermissionDenied

    try:
        record = (await session.request("GET", ME)).json()
    except (NotFound, PermissionDenied):
        if not session.stats.requests:
            raise  # It is about the login: nothing else was sent.
        return {}
    return record if isinstance(record, dict) else {}


def _person(record: dict[str, Any]) -> dict[str, str]:
    if not record:
        return {"extensionId": "not told: the app or the user has no permission ReadAccounts"}
    account = record.get("account")
    found = {
        "accountId": account.get("id") if isinstance(account, dict) else None,
        "extensionId": record.get("id"),
        "extensionNumber": record.get("extensionNumber"),
        "name": record.get("name"),
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def _how(found: "Login") -> str:
    return "login with the JWT" if found.profile is None else f"login of profile {found.profile}"


def _until(found: "Login", settings: "Settings") -> str:
    """Say until when a login is good if nothing renews it."""
    last = found.store.last or {}
    if settings.jwt is not None and found.profile is None:
        return f"until {_moment(last.get('expires_time'))}, and renewed by the JWT"
    if not last.get("refresh_token"):
        return f"until {_moment(last.get('expires_time'))}"
    return f"until {_moment(last.get('refresh_expires_time'))}, and longer with each use"


def _moment(seconds: object) -> str:
    if not isinstance(seconds, (int, float)):
        return "an unknown time"
    try:
        return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "minutes")
    except (OverflowError, OSError, ValueError):
        return "an unknown time"


def _show(facts: dict[str, str], sources: Any, output: Form) -> None:
    from ..output import Writer, document_text

    if output is Form.JSON:
        show_json(document_text({**facts, "settings": dict(sources)}, 2))
        return
    rows = [*facts.items(), *((each, f"from {place}") for each, place in sources.items())]
    with Writer(Output.TABLE, {"what": 15, "value": 0}, lambda row: row) as writer:
        for row in rows:
            writer.write(row)
