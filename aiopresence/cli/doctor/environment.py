"""Checks of what is around the calls: settings, files, server, clock, login, limits."""

import asyncio
import os
import time
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from ... import NotFound, PermissionDenied, PresenceSession
from .. import logins, settings as config
from ..commands.login import ME
from ..session import connected, signed_in
from .context import Patient, SkippedError, TroubleError

# Seconds that two clocks may differ by. A guess: tokens are renewed a minute before their end.
SLOW = 60.0
# Seconds for one answer of the server.
REACH = 10.0
# Seconds after the last check for which the user waits.
REVOKED_WITHIN = 2.0


async def settings(patient: Patient) -> str:
    """Find the settings, and open a session with them."""
    if patient.is_sandbox:
        entered = connected(patient.sandbox, None)
        patient.session, platform = await patient.stack.enter_async_context(entered)
        patient.address = platform.url if platform else ""
        return "the embedded platform"
    patient.settings = config.load(patient.profile)
    found = await logins.find(patient.settings, patient.profile)
    if found.profile is None:
        # With tokens of its own, or those of an earlier login would hide a wrong secret.
        found = logins.begin(patient.settings.grant(), found.server, patient.profile)
    patient.address = found.server
    patient.session = await patient.stack.enter_async_context(signed_in(found))
    if found.is_new:
        patient.stack.push_async_callback(_end_login, patient.session)
    told = [f"{name} from {place}" for name, place in patient.settings.sources.items()]
    if not found.is_new:
        told.append(f"the login kept for profile {found.profile}")
    return ", ".join(told)


async def _end_login(session: PresenceSession) -> None:
    """Revoke a login; leave it to expire if the limits hold the request back."""
    with suppress(TimeoutError):
        async with asyncio.timeout(REVOKED_WITHIN):
            await session.revoke()


async def files(patient: Patient) -> str:
    """See that nobody else can read what is secret."""
    if patient.is_sandbox:
        raise SkippedError("the embedded platform needs none")
    if os.name != "posix":
        raise SkippedError("this system has no modes of files")
    there = [path for path in _secret(patient) if path.exists()]
    for path in there:
        wrong = _wrong(path)
        if wrong:
            raise TroubleError(wrong)
    return f"yours alone: {', '.join(map(str, there))}" if there else "none are there"


def _secret(patient: Patient) -> list[Path]:
    """Give what may hold secrets; of `.env`, which is for other things too, only if it does."""
    state = config.state_directory()
    sources = patient.settings.sources if patient.settings else {}
    places = {sources.get(name) for name in ("client_secret", "jwt")} - {None}
    known = patient.settings is not None
    dotenv = [] if known and ".env" not in places else [Path(".env")]
    return [*dotenv, config.config_file(), state, state / "tokens.json"]


def _wrong(path: Path) -> str | None:
    mode, right = path.stat().st_mode, "700" if path.is_dir() else "600"
    if not os.access(path, os.R_OK):
        return f"{path} cannot be read: chmod {right} {path}"
    # A directory that others may look into shows no tokens: those have their own modes.
    if mode & (0o022 if path.is_dir() else 0o077):
        return f"{path} is open to others: chmod {right} {path}"
    return None


async def server(patient: Patient) -> str:
    """Reach the server: its name, the connection, TLS."""
    host, began = urlsplit(patient.address).netloc, time.monotonic()
    try:
        async with (
            asyncio.timeout(REACH),
            aiohttp.ClientSession() as http,
            http.get(f"{patient.address}/restapi/v1.0", allow_redirects=False) as answer,
        ):
            if date := answer.headers.get("Date"):
                patient.date = (date, time.time())
            status = answer.status
    except TimeoutError:
        raise TroubleError(
            f"{host} does not answer within {REACH:.0f} s: check the network"
        ) from None
    except aiohttp.ClientError as error:
        raise TroubleError(_unreachable(host, error)) from None
    if status >= 500:
        raise TroubleError(f"{host} answers HTTP {status}: see https://status.ringcentral.com")
    security = "TLS" if patient.address.startswith("https:") else "no TLS, on this machine"
    return f"{host}, {security}, {(time.monotonic() - began) * 1000:.0f} ms"


def _unreachable(host: str, error: aiohttp.ClientError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"{host} is not found: check RC_SERVER_URL and the network"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"{host} has no certificate that is trusted here: check it, and any proxy between"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {host}: check RC_SERVER_URL, the network and the firewall"
    return f"the connection to {host} broke ({type(error).__name__}): try again"


async def clock(patient: Patient) -> str:
    """Compare the server's clock with this machine's."""
    if patient.date is None:
        raise SkippedError("the server does not tell its time")
    text, here = patient.date
    try:
        date = parsedate_to_datetime(text)
        off = here - (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        raise SkippedError("the server's time makes no sense") from None
    if abs(off) > SLOW:
        way = "ahead of" if off > 0 else "behind"
        raise TroubleError(f"{abs(off):.0f} s {way} the server's: set this machine's clock")
    return f"within {max(1, round(abs(off)))} s of the server's"


async def login(patient: Patient) -> str:
    """Log in. One's own record is asked for, which is what the directory needs, too."""
    try:
        await patient.session.request("GET", ME)
    except (NotFound, PermissionDenied) as error:
        if not patient.session.stats.requests:
            raise  # It is about the login: nothing else was sent.
        patient.no_directory = error
    return "the credentials are accepted"


async def limits(patient: Patient) -> str:
    """Say what was learned of the limits."""
    refused = patient.session.stats.rate_limited
    told = [
        f"{name} {group.limit} in {group.window:g} s"
        + ("" if group.remaining is None else f", {group.remaining} left")
        for name, group in patient.session.limits.items()
    ]
    if refused:
        raise TroubleError(
            f"{refused} answered 429: something else uses the same limits; {'; '.join(told)}"
        )
    return "; ".join(told)
