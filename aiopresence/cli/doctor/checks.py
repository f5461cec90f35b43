"""The checks of `doctor` in their order, and the earlier checks that each depends on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import attrs

from ... import AuthError, PermissionDenied, PresenceError
from ...auth_advice import advice_for
from .api import account_page, batch, directory, events, own_presence, queue, unified, write
from .context import CheckContext, CheckFailed, CheckSkipped
from .environment import clock, files, limits, login, settings
from .server import server

# Seconds for one check. A guess: longer than any response takes, shorter than users wait.
CHECK_TIMEOUT = 20.0


@attrs.frozen
class Check:
    """One check.

    Attributes:
        name: its name.
        run: performs it and returns what was found; raises if it fails.
        needs: the names of checks that must have succeeded before it.
        permission: the permission of the app that it is about.
    """

    name: str
    run: Callable[[CheckContext], Awaitable[str]]
    needs: tuple[str, ...] = ()
    permission: str | None = None

    @property
    def title(self) -> str:
        """The name with the permission."""
        return f"{self.name} ({self.permission})" if self.permission else self.name


@attrs.frozen
class CheckResult:
    """The result of a check.

    Attributes:
        check: its title.
        ok: whether it succeeded; None if it was skipped.
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


async def run_checks(sandbox: int | None, profile: str | None) -> AsyncIterator[CheckResult]:
    """Run all checks and yield each result as soon as it is known."""
    async with AsyncExitStack() as stack:
        context = CheckContext(sandbox, profile, stack)
        succeeded: set[str] = set()
        for check in CHECKS:
            missing = [name for name in check.needs if name not in succeeded]
            if missing:
                text = f"skipped: requires {' and '.join(missing)}"
                yield CheckResult(check.title, None, text)
                continue
            result = await _run(check, context)
            if result.ok:
                succeeded.add(check.name)
            yield result


async def _run(check: Check, context: CheckContext) -> CheckResult:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            return CheckResult(check.title, True, await check.run(context))
    except CheckSkipped as reason:
        return CheckResult(check.title, None, f"skipped: {reason}")
    except PermissionDenied as error:
        return CheckResult(check.title, False, _permission_text(check, error))
    except AuthError as error:
        advice = "" if context.is_sandbox else "; or log in again: aiopresence login"
        return CheckResult(check.title, False, f"{error}{advice}")
    except TimeoutError:
        return _timed_out(check, context)
    except (PresenceError, OSError, CheckFailed) as error:
        return CheckResult(check.title, False, str(error))


def _timed_out(check: Check, context: CheckContext) -> CheckResult:
    auth = context.limits.get("Auth")
    if auth is not None and not auth.remaining:
        text = f"not checked: rate limit of group Auth exhausted for {auth.blocked_for:.0f} s"
        return CheckResult(check.title, None, text)
    text = (
        f"no result within {CHECK_TIMEOUT:.0f} s; rate limits may be exhausted, retry in a minute"
    )
    return CheckResult(check.title, False, text)


def _permission_text(check: Check, error: PermissionDenied) -> str:
    if check.permission is None or advice_for(error.error_code):
        return str(error)
    code = f"HTTP {error.http_status} {error.error_code or ''}".strip()
    return f"{code}: add the permission {check.permission} to the app, and check the user's role"
