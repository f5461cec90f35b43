"""Hooks: what a session reports while it works, for metrics, traces and logs of one's own.

Each hook takes one frozen object rather than many arguments, as the hooks of stamina and the
signals of aiohttp do: a later version can add a field to an object without breaking a single
subclass. Hooks are synchronous, because most are called where nothing may be awaited.
"""

import re
from typing import Literal

import attrs

from ..models import PresenceEvent, Resync

WaitReason = Literal["rate_limit", "penalty", "retry", "login", "reconnect"]
TokenSource = Literal["login", "refresh", "store"]

# Ids in a path: numbers, lists of them, and "~".
IDS = re.compile(r"/(?:[0-9,]+|~)(?=/|$)")


def _endpoint(path: str) -> str:
    return IDS.sub("/*", path)


@attrs.frozen(weakref_slot=False)
class RequestSent:
    """A request was put on the wire.

    Attributes:
        method: the HTTP method.
        path: the path, with all its ids and without the query; "(redirect)" where a redirect has
            led to another path, which may hold a secret.
        group: the usage-plan group the request is expected to count in; None when not known.
        attempt: 1 for the first attempt, 2 for the first retry, and so on. A request that is
            redirected, or sent again with a new access token, stays in its attempt.
    """

    method: str
    path: str
    group: str | None
    attempt: int

    @property
    def endpoint(self) -> str:
        """The path with `*` for each id: of few different values, as labels of metrics need."""
        return _endpoint(self.path)


@attrs.frozen(weakref_slot=False)
class RequestFinished:
    """A request has ended: with a response, whatever its status, or without one.

    Attributes:
        method: as in RequestSent, like `path` and `attempt`.
        path: see there.
        group: the usage-plan group the request was counted in, as the response states it; else
            the expected one. None when not known.
        attempt: see there.
        seconds: from when it was sent until the whole body had been read.
        status: the HTTP status; None when there was no complete response.
        request_id: RingCentral's id of the request, for its support; None without one.
        error: why there was no complete response: a PresenceError, or the CancelledError of a call
            that was cancelled. None with a response.
    """

    method: str
    path: str
    group: str | None
    attempt: int
    seconds: float
    status: int | None
    request_id: str | None
    error: BaseException | None

    @property
    def endpoint(self) -> str:
        """The path with `*` for each id: of few different values, as labels of metrics need."""
        return _endpoint(self.path)


@attrs.frozen(weakref_slot=False)
class WaitEnded:
    """The session has waited before it sent something.

    Attributes:
        reason: "rate_limit": the window of a group was used up; "penalty": the group was blocked
            after a 429; "retry": the delay before a retry; "login": logins were held back after a
            failure; "reconnect": the delay before a connection for events.
        seconds: how long, also when the wait was cancelled.
        group: the usage-plan group, for "rate_limit" and "penalty" if its name is known; else None.
    """

    reason: WaitReason
    seconds: float
    group: str | None = None


@attrs.frozen(weakref_slot=False)
class RetryScheduled:
    """A request has failed and is sent again, or ids whose part of a batch has failed are.

    Attributes:
        attempt: the number of the attempt to come: 2 for the first retry.
        seconds: the delay before it. A wait for a rate limit comes on top.
        error: why the attempt before it failed; of several ids, the error of one.
        path: the path, as in RequestSent; None for ids of a batch.
        ids: how many ids of a batch are requested again; 0 for a whole request.
    """

    attempt: int
    seconds: float
    error: Exception
    path: str | None = None
    ids: int = 0


@attrs.frozen(weakref_slot=False)
class RateLimitHit:
    """A response, or a part of a batch response, was a 429.

    Attributes:
        group: the usage-plan group; None when not known.
        seconds: how long nothing of that group is sent; 0.0 if it is not blocked, as after a
            request that was refused as a duplicate (CMN-304).
        request_id: RingCentral's id of the request; None without one.
    """

    group: str | None
    seconds: float
    request_id: str | None


@attrs.frozen(weakref_slot=False)
class TokenObtained:
    """The session has a new access token.

    Attributes:
        source: "login": with the credentials of the grant; "refresh": with the refresh token of the
            login before; "store": from the token store, where another process had put it.
        due_in: seconds until the session will replace it, somewhat before it expires.
    """

    source: TokenSource
    due_in: float


@attrs.frozen(weakref_slot=False)
class ConnectionChanged:
    """A connection for events was opened, or has ended.

    Attributes:
        is_open: True when it was opened.
        reason: why it ended; None when it was opened.
        seconds: how long it was open; 0.0 when it was opened.
    """

    is_open: bool
    reason: str | None = None
    seconds: float = 0.0


class SessionHooks:
    """What a session calls while it works. Override what is wanted: `PresenceSession(hooks=…)`.

    Every method does nothing by itself, and is called on the event loop, in the task that does the
    work: return at once, and never block. Ordinary exceptions are logged, the first one of each
    method with its traceback, and change nothing; so does a CancelledError, as nobody has cancelled
    the task. KeyboardInterrupt and SystemExit end the call that they are raised in.

    One object may serve several sessions. Where sessions share a login, each reports what it does
    itself: its own requests and waits, and the login that was made through it for all of them.
    """

    def on_request(self, request: RequestSent) -> None:
        """Called when a request is put on the wire: each attempt, redirect and token request."""

    def on_response(self, request: RequestFinished) -> None:
        """Called when a request has ended: once for each call of `on_request`."""

    def on_wait(self, wait: WaitEnded) -> None:
        """Called when a wait has ended.

        For a rate limit it is the wait of the first request in the queue of a group: while it
        waits, nothing of the group is sent. Those behind it are not reported one by one.
        """

    def on_retry(self, retry: RetryScheduled) -> None:
        """Called before the delay of a retry."""

    def on_rate_limited(self, hit: RateLimitHit) -> None:
        """Called after a 429."""

    def on_token(self, token: TokenObtained) -> None:
        """Called with a new access token, which is not shown. A failed login is a request only."""

    def on_connection(self, connection: ConnectionChanged) -> None:
        """Called when a connection for events was opened or has ended."""

    def on_event(self, event: PresenceEvent) -> None:
        """Called with each notification before it is passed on, without duplicates."""

    def on_resync(self, resync: Resync) -> None:
        """Called when events may have been lost."""
