"""What the doctor looks at, in which order, and what each needs of those before it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import attrs

from ... import AuthError, PermissionDenied, PresenceError
from ...auth_advice import advice_for
from .api import account_page, batch, directory, events, own_presence, queue, unified, write
from .context import Patient, SkippedError, TroubleError
from .environment import clock, files, limits, login, server, settings

# Seconds for one check. A guess: longer than any answer takes, shorter than anybody waits.
PATIENCE = 20.0


@attrs.frozen
class Check:
    """One thing to look at.

    Attributes:
        name: what it is called.
        look: looks at it and says what it found; raises what is wrong.
        needs: the names of others that have to be right for this one.
        permission: of the app, that it is about.
    """

    name: str
    look: Callable[[Patient], Awaitable[str]]
    needs: tuple[str, ...] = ()
    permission: str | None = None

    @property
    def title(self) -> str:
        """The name, with the permission."""
        return f"{self.name} ({self.permission})" if self.permission else self.name


@attrs.frozen
class Finding:
    """What a check came to.

    Attributes:
        check: its title.
        ok: whether all is well; None when it was skipped.
        text: what was found, or what to do.
    """

    check: str
    ok: bool | None
    text: str


CHECKS = (
    Check("settings", settings),
    Check("files", files),
    Check("server", server, ("settings",)),
    Check("clock", clock, ("server",)),
    Check("login", login, ("settings", "server")),
    Check("own presence", own_presence, ("login",), "ReadPresence"),
    Check("write", write, ("own presence",), "EditPresence"),
    Check("directory", directory, ("login",), "ReadAccounts"),
    Check("account page", account_page, ("login",)),
    Check("batch of two", batch, ("own presence", "account page")),
    Check("call queue", queue, ("login",)),
    Check("unified presence", unified, ("login",)),
    Check("events", events, ("own presence",), "WebSocketsSubscription"),
    Check("limits", limits, ("login",)),
)


async def examine(sandbox: int | None, profile: str | None) -> AsyncIterator[Finding]:
    """Look at everything, and tell of each thing as soon as it is known."""
    async with AsyncExitStack() as stack:
        patient = Patient(sandbox, profile, stack)
        right: set[str] = set()
        for check in CHECKS:
            missing = [name for name in check.needs if name not in right]
            if missing:
                text = f"skipped: it needs {' and '.join(missing)}"
                yield Finding(check.title, None, text)
                continue
            finding = await _look(check, patient)
            if finding.ok:
                right.add(check.name)
            yield finding


async def _look(check: Check, patient: Patient) -> Finding:
    try:
        async with asyncio.timeout(PATIENCE):
            return Finding(check.title, True, await check.look(patient))
    except SkippedError as reason:
        return Finding(check.title, None, f"skipped: {reason}")
    except PermissionDenied as error:
        return Finding(check.title, False, _denied(check, error))
    except AuthError as error:
        advice = "" if patient.is_sandbox else "; or log in again: aiopresence login"
        return Finding(check.title, False, f"{error}{advice}")
    except TimeoutError:
        return _timed_out(check, patient)
    except (PresenceError, OSError, TroubleError) as error:
        return Finding(check.title, False, str(error))


def _timed_out(check: Check, patient: Patient) -> Finding:
    auth = patient.limits.get("Auth")
    if auth is not None and not auth.remaining:
        text = f"not checked: the rate limit of group Auth is used up for {auth.blocked_for:.0f} s"
        return Finding(check.title, None, text)
    text = f"nothing within {PATIENCE:.0f} s; try again in a minute, when the limits are free"
    return Finding(check.title, False, text)


def _denied(check: Check, error: PermissionDenied) -> str:
    if check.permission is None or advice_for(error.error_code):
        return str(error)
    said = f"HTTP {error.http_status} {error.error_code or ''}".strip()
    return f"{said}: add {check.permission} to the app, and check the user's role"
