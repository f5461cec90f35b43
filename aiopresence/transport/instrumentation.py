"""Count, log and report to hooks what a session does: the one place for all three.

Nothing here costs more than a counter and a check unless it is used: objects for hooks are
made for overridden methods only, and log lines for enabled levels.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

from ..errors import ConnectionFailed, PresenceError, RateLimited, UsageError, one_line
from ..models import AccountPresenceInfo, PresenceEvent, Resync
from ..protocol.directory_pages import DirectoryPage
from ..protocol.rate_limit_headers import group_of
from ..protocol.rest import Request, Response
from ..protocol.stats import Stats
from ..redaction import Secret
from .clock import Clock
from .hooks import (
    IDS,
    ConnectionChanged,
    RateLimitHit,
    RequestFinished,
    RequestSent,
    RetryScheduled,
    SessionHooks,
    TokenObtained,
    TokenSource,
    WaitEnded,
    WaitReason,
)

_log = logging.getLogger("aiopresence")

# Seconds of a wait that is logged, and of one before a reconnect that is logged as a warning: the
# events are late meanwhile. Guesses.
LOGGED_WAIT, WARNED_RECONNECT = 1.0, 3.0
# So many ids of a list are logged.
_IDS_SHOWN = 2
_HOOKS = [name for name in vars(SessionHooks) if name.startswith("on_")]


class Instrumentation:
    """Counts, logs and reports what one session does.

    Args:
        hooks: the user's hooks, or None.
        clock: the source of time.

    Attributes:
        stats: the counters.

    Raises:
        UsageError: `hooks` is not a SessionHooks, or a method of it is a coroutine function.
    """

    def __init__(self, hooks: SessionHooks | None, clock: Clock) -> None:
        self.stats = Stats()
        self.clock = clock
        self._hooks = {} if hooks is None else _overridden(hooks)
        # The hooks whose first exception was logged.
        self._failed: set[str] = set()

    def exchange(self, request: Request[Any]) -> "Exchange":
        """Return what reports a request while it is on the wire."""
        return Exchange(self, request)

    def request_sent(self, request: Request[Any]) -> None:
        """Record that a request is about to be sent."""
        if request.is_login:
            self.stats.token_requests += 1
        else:
            self.stats.requests += 1
        if "on_request" in self._hooks:
            path, group = _path(request), request.group or None
            self._call("on_request", RequestSent(request.method, path, group, request.attempt))

    def request_finished(
        self,
        request: Request[Any],
        seconds: float,
        response: Response | None,
        error: BaseException | None,
    ) -> None:
        """Record that a request has ended, with a response or an error."""
        if response is not None and response.status == 429:
            self.stats.rate_limited += 1
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug(*_request_line(request, seconds, response, error))
        if "on_response" in self._hooks:
            stated = None if response is None else group_of(response.headers)
            finished = RequestFinished(
                request.method,
                _path(request),
                stated or request.group or None,
                request.attempt,
                seconds,
                None if response is None else response.status,
                None if response is None else response.request_id,
                error,
            )
            self._call("on_response", finished)

    def items_answered(self, count: int) -> None:
        """Record that so many ids of a bulk call have their outcome."""
        self.stats.items += count

    def batch_read(self) -> None:
        """Record the response to a batch of a bulk read."""
        self.stats.batches += 1

    def page_read(self) -> None:
        """Record a page of an account."""
        self.stats.pages += 1

    def wait_begins(self, reason: WaitReason, seconds: float, group: str | None = None) -> None:
        """Log a wait that will take some seconds, if they are many."""
        if seconds > LOGGED_WAIT and _log.isEnabledFor(logging.INFO):
            _log.info("waiting %.1f s: %s", seconds, _WAITS[reason].format(_shown(group)))

    def wait_ended(self, reason: WaitReason, seconds: float, group: str | None = None) -> None:
        """Record a wait, completed or not."""
        if reason in ("rate_limit", "penalty"):
            self.stats.waits += 1
            self.stats.seconds_waited += seconds
        if "on_wait" in self._hooks:
            self._call("on_wait", WaitEnded(reason, seconds, group))

    def retry_scheduled(
        self,
        attempt: int,
        seconds: float,
        error: PresenceError,
        request: Request[Any] | None = None,
        ids: int = 0,
    ) -> None:
        """Record that a request, or some ids of a batch, will be sent again."""
        self.stats.retries += 1
        if _log.isEnabledFor(logging.INFO):
            what = f"{ids} ids" if request is None else f"{request.method} {_shortened(request)}"
            # The rate limiter delays the next attempt after a 429, not the retry.
            is_limited = isinstance(error, RateLimited)
            when = "when the rate limits allow it" if is_limited else f"in {seconds:.1f} s"
            _log.info("retrying %s %s (attempt %d): %s", what, when, attempt, error)
        if "on_retry" in self._hooks:
            path = None if request is None else _path(request)
            self._call("on_retry", RetryScheduled(attempt, seconds, error, path, ids))

    def rate_limited(self, group: str | None, seconds: float, request_id: str | None) -> None:
        """Record a 429, of a response or of a part of it."""
        _log.warning("HTTP 429: group %s is blocked for %.1f s", _shown(group), seconds)
        if "on_rate_limited" in self._hooks:
            self._call("on_rate_limited", RateLimitHit(group, seconds, request_id))

    def token_obtained(self, source: TokenSource, due_in: float) -> None:
        """Record a new access token."""
        _log.info("%s; the access token is due for renewal in %.0f s", _TOKENS[source], due_in)
        if "on_token" in self._hooks:
            self._call("on_token", TokenObtained(source, due_in))

    def reconnect_delayed(self, seconds: float, reason: str) -> None:
        """Log why the next connection for events has to wait, unless it is for a moment."""
        if seconds > LOGGED_WAIT:
            level = logging.WARNING if seconds > WARNED_RECONNECT else logging.INFO
            _log.log(level, "reconnecting in %.0f s: %s", seconds, reason)

    def connection_opened(self) -> None:
        """Record a new connection for events."""
        self.stats.connections += 1
        _log.info("connected for events")
        if "on_connection" in self._hooks:
            self._call("on_connection", ConnectionChanged(is_open=True))

    def connection_closed(self, reason: str, seconds: float) -> None:
        """Record the end of a connection for events."""
        _log.info("connection for events ended after %.0f s: %s", seconds, reason)
        if "on_connection" in self._hooks:
            self._call("on_connection", ConnectionChanged(False, reason, seconds))

    def event_received(self, event: PresenceEvent) -> None:
        """Record a notification."""
        self.stats.events += 1
        if "on_event" in self._hooks:
            self._call("on_event", event)

    def resynced(self, resync: Resync) -> None:
        """Record that events may have been lost."""
        self.stats.resyncs += 1
        since = "an unknown time" if resync.since is None else f"{resync.since:%H:%M:%S} UTC"
        _log.warning("events since %s may have been lost: %s", since, resync.reason)
        if "on_resync" in self._hooks:
            self._call("on_resync", resync)

    def _call(self, name: str, argument: Any) -> None:
        """Call a hook. Only what ends the process, such as KeyboardInterrupt, is raised."""
        try:
            self._hooks[name](argument)
        except (Exception, asyncio.CancelledError, GeneratorExit):
            if name not in self._failed:
                self._failed.add(name)
                _log.exception("hook %s failed; its further exceptions are not logged", name)


class Exchange:
    """One request on the wire: reports when it is sent, and how it ends, in pairs.

    Args:
        instrumentation: where to.
        request: the request.
    """

    __slots__ = ("_instrumentation", "_request", "_sent_at")

    def __init__(self, instrumentation: Instrumentation, request: Request[Any]) -> None:
        self._instrumentation = instrumentation
        self._request = request
        self._sent_at: float | None = None

    def sent(self) -> None:
        """Report that the request is sent: twice, if aiohttp sends it again on a new connection."""
        if self._sent_at is not None:
            self.finished(error=ConnectionFailed("the kept-alive connection was closed"))
        self._sent_at = self._instrumentation.clock.now()
        self._instrumentation.request_sent(self._request)

    def finished(
        self, response: Response | None = None, error: BaseException | None = None
    ) -> None:
        """Report a response, without secrets, or the error; nothing if nothing was sent."""
        if self._sent_at is None:
            return
        seconds, self._sent_at = self._instrumentation.clock.now() - self._sent_at, None
        self._instrumentation.request_finished(self._request, seconds, response, error)


_WAITS: dict[WaitReason, str] = {
    "rate_limit": "rate limit of group {}",
    "penalty": "group {} is blocked after a 429",
    "retry": "before a retry",
    "login": "logins are held back after a failure",
    "reconnect": "before reconnecting for events",
}
_TOKENS: dict[TokenSource, str] = {
    "login": "logged in",
    "refresh": "login refreshed",
    "store": "login taken from the token store",
}


def _overridden(hooks: object) -> dict[str, Callable[[Any], object]]:
    """Return the methods of a user's hooks that do anything."""
    if not isinstance(hooks, SessionHooks):
        raise UsageError("hooks must be an object of a subclass of SessionHooks, or None")
    methods = {name: getattr(hooks, name) for name in _HOOKS}
    for name, method in methods.items():
        if inspect.iscoroutinefunction(method):
            raise UsageError(f"hooks.{name} must be a plain function, without async")
    empty = vars(SessionHooks)
    return {n: m for n, m in methods.items() if getattr(m, "__func__", None) is not empty[n]}


def _shown(group: str | None) -> str:
    return "unknown" if group is None else one_line(group)


def _path(request: Request[Any]) -> str:
    """Return the path of a request unless it may hold a secret, as that of a redirect may."""
    return "(redirect)" if isinstance(request.path, Secret) else request.path


def _shortened(request: Request[Any]) -> str:
    """Return the path of a request with long lists of ids cut, as in `/extension/1,2,+28/`.

    Of the query only the number of the page is shown.
    """
    is_listing = request.model in (AccountPresenceInfo, DirectoryPage)
    page = dict(request.params).get("page", "") if is_listing else ""
    return IDS.sub(_short_list, _path(request)) + (page and f"?page={page}")


def _short_list(match: Any) -> str:
    ids = match[0].split(",")
    left = len(ids) - _IDS_SHOWN
    return match[0] if left <= 1 else ",".join([*ids[:_IDS_SHOWN], f"+{left}"])


def _request_line(
    request: Request[Any], seconds: float, response: Response | None, error: BaseException | None
) -> tuple[Any, ...]:
    """Return the format and the arguments of the log line of a request."""
    path = _shortened(request)
    again = f" (attempt {request.attempt})" if request.attempt > 1 else ""
    if response is None:
        why = str(error) if isinstance(error, PresenceError) else type(error).__name__
        return "%s %s%s: no response after %.3f s: %s", request.method, path, again, seconds, why
    id_ = response.request_id or "unknown"
    line = "%s %s%s: HTTP %d in %.3f s [request %s]"
    return line, request.method, path, again, response.status, seconds, id_
