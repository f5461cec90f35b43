"""The session: a token, a connection pool, and every way to ask for presence."""

import asyncio
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import NoneType, TracebackType
from typing import Any, Literal, Self, get_args

import aiohttp
import attrs

from .errors import PresenceError, UsageError
from .grants import AccessToken, Grant, JwtGrant
from .ids import Id, parse_id
from .live import LiveCalls
from .models.validation import seconds
from .protocol import decoding
from .protocol.rate_limit_headers import group_name
from .protocol.rate_limits import MAX_WINDOW, GroupLimits
from .protocol.rest import JSON, Request, Response
from .protocol.urls import check_server, is_path
from .transport.clock import Clock
from .transport.event_connection import EventConnection
from .transport.hooks import SessionHooks
from .transport.http import Http
from .transport.instrumentation import Instrumentation, Stats
from .transport.rate_limiter import RateLimiter
from .transport.requester import Requester
from .transport.token_store import TokenStore


class PresenceSession(LiveCalls):
    """A session with one RingCentral server as one user. Use it with `async with`.

    Args:
        auth: a JwtGrant, RefreshTokenGrant, AuthorizationCodeGrant or AccessToken, or an access
            token as str.
        server: the server's address; plain http is for loopback only.
        account_id: the account of calls that name none; "~" is the user's own.
        http: an aiohttp session of yours to use; it is not closed. None opens one of our own.
        timeout: seconds (or a timedelta) one request may take, the whole body included.
        concurrency: how many requests may be under way at once.
        attempts: how often a request may be sent at most, the first time included.
        max_wait: seconds (or a timedelta) a request may wait for the rate limits, for room within
            `concurrency`, and before each retry; one that would have to wait longer is refused
            at once. None waits as long as it takes, but for a penalty of more than an hour or a
            Retry-After of more than ten minutes.
        batch_format: how batches are asked for: "multipart" (RingCentral's default), or "json",
            the array form.
        limits: the limits of usage-plan groups by name, where they are not RingCentral's defaults:
            requests in 60 seconds, or GroupLimits. Answers correct them. Sessions with the same
            server and login on one event loop share what is known and used.
        token_store: where tokens are kept, for several processes to share one login. None keeps
            them in memory, for all sessions with the same login on this event loop.
        hooks: an object of a subclass of SessionHooks, whose methods are called with each request,
            wait, retry, token, connection and event.

    Raises:
        UsageError: an argument is wrong.
    """

    _clock = Clock()

    def __init__(
        self,
        auth: AccessToken | Grant | str,
        *,
        server: str = "https://platform.ringcentral.com",
        account_id: Id = "~",
        http: aiohttp.ClientSession | None = None,
        timeout: float | timedelta = 30.0,
        concurrency: int = 8,
        attempts: int = 4,
        max_wait: float | timedelta | None = None,
        batch_format: Literal["multipart", "json"] = "multipart",
        limits: Mapping[str, GroupLimits | int] | None = None,
        token_store: TokenStore | None = None,
        hooks: SessionHooks | None = None,
    ) -> None:
        grant = AccessToken(auth) if isinstance(auth, str) else auth
        if not isinstance(grant, (AccessToken, *get_args(Grant))):
            raise UsageError("auth must be a JwtGrant or another grant, or an access token as str")
        if not isinstance(http, (aiohttp.ClientSession, NoneType)):
            raise UsageError("http must be an aiohttp.ClientSession or None")
        for name, value in (("concurrency", concurrency), ("attempts", attempts)):
            if type(value) is not int or value < 1:
                raise UsageError(f"{name} must be a positive int")
        super().__init__(
            parse_id(account_id, "account_id", tilde=True),
            check_server(server),
            batch_format,
            concurrency,
            Instrumentation(hooks, self._clock),
        )
        if token_store is not None and not _is_token_store(token_store):
            raise UsageError("token_store must be a TokenStore, such as FileTokenStore(path)")
        longest = None if max_wait is None else seconds("max_wait", max_wait, zero=True)
        wire = Http(self._server, http, seconds("timeout", timeout))
        self._limiter = RateLimiter(
            _presets(limits), concurrency, self._clock, longest, self._instrumentation
        )
        self._requester = Requester(
            grant, token_store, wire, self._limiter, attempts, self._clock, self._instrumentation
        )
        # The event loop that it is open on; None while it is closed.
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def from_env(cls, prefix: str = "RC_", **options: Any) -> Self:
        """Make a session with the credentials in the environment.

        Reads RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET, RC_USER_JWT and RC_SERVER_URL; where one of
        them is not set, RINGCENTRAL_CLIENT_ID, RINGCENTRAL_CLIENT_SECRET, RINGCENTRAL_JWT_TOKEN
        and RINGCENTRAL_SERVER_URL. Without a server it is RingCentral's production.

        Args:
            prefix: instead of "RC_".
            options: any other argument of PresenceSession.

        Raises:
            UsageError: variables are missing; the message names them.
        """
        names = [
            (f"{prefix}{ours}", f"RINGCENTRAL_{other}")
            for ours, other in (
                ("APP_CLIENT_ID", "CLIENT_ID"),
                ("APP_CLIENT_SECRET", "CLIENT_SECRET"),
                ("USER_JWT", "JWT_TOKEN"),
            )
        ]
        values = [_from_env(*pair) for pair in names]
        if missing := [" or ".join(p) for p, v in zip(names, values, strict=True) if not v]:
            raise UsageError(f"set in the environment: {', '.join(missing)}")
        if server := _from_env(f"{prefix}SERVER_URL", "RINGCENTRAL_SERVER_URL"):
            options.setdefault("server", server)
        return cls(JwtGrant(*(value or "" for value in values)), **options)

    async def __aenter__(self) -> Self:
        if self._loop is not None and not self._loop.is_closed():
            raise UsageError("the session is open already: enter it once, or close it before")
        self._loop = asyncio.get_running_loop()
        try:
            await self._requester.open()
        except BaseException:
            self._loop = None
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection pool, unless it is yours. Nothing can be sent afterwards.

        Whatever still waits for its turn is refused with UsageError; the outcomes of bulk calls
        have a ConnectionFailed. The login stays alive, in the token store and at RingCentral: see
        `revoke`.

        Raises:
            UsageError: the session is open on another event loop.
        """
        if self._loop is None:
            return
        self._check_open()
        try:
            await self._end_live()
            await self._requester.close()
        finally:
            self._loop = None

    def _check_open(self) -> None:
        if self._loop is None:
            raise UsageError("the session is not open: use it inside `async with session:`")
        if self._loop is not asyncio.get_running_loop():
            raise UsageError(
                "the session is open on another event loop: use one session for each event loop"
            )

    async def revoke(self) -> None:
        """End the login: RingCentral forgets all its tokens, and so does the token store.

        Whether RingCentral heard of it is not told. The next call logs in again.

        Raises:
            UsageError: the session is not open.
        """
        self._check_open()
        await self._requester.revoke()

    @property
    def stats(self) -> Stats:
        """What this session has done so far."""
        return attrs.evolve(self._instrumentation.stats)

    @property
    def limits(self) -> dict[str, GroupLimits]:
        """What is known of each usage-plan group, by its name, such as "Light".

        Those that are in use, by any session with the same server and login on this event loop,
        and those given as `limits`. The case of names does not matter.
        """
        return self._limiter.snapshot()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | bool | None] | None = None,
        json: Any = None,
    ) -> Response:
        """Call anything else of RingCentral's API, with this session's token.

        Args:
            method: the HTTP method.
            path: percent-encoded, from "/restapi/", without a query.
            params: the query; None values are left out.
            json: the body: anything that JSON can hold, or one of our records; None sends none.

        Raises:
            UsageError: an argument is wrong; nothing was sent.
            PresenceError: as the presence calls, but for DecodeError: see `Response.json`.
        """
        # Whoever dumps a response shows all that is in it.
        return (await self._request(method, path, params, json)).without_secrets()

    async def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int | bool | None] | None = None,
        json: Any = None,
    ) -> Response:
        """Do what `request` does, and return the response as it came, to be parsed."""
        if not is_path(path):
            raise UsageError("path must begin with /restapi/, percent-encoded and without a query")
        if not (isinstance(method, str) and method.isascii() and method.isalpha()):
            raise UsageError("method must be an HTTP method, such as GET")
        query = _query({} if params is None else params)
        body = None if json is None else decoding.dump(json)
        headers = {} if json is None else {"content-type": JSON}
        # Of other paths the group is not known beforehand; the answer tells.
        group = "Auth" if path.startswith("/restapi/oauth/") else ""
        asked = Request(method.upper(), path, group, object, query, body, headers)
        return await self._send(asked)

    def _socket(self, event_filters: tuple[str, ...]) -> EventConnection:
        return EventConnection(event_filters, self._requester, self._clock, self._instrumentation)

    def _server_time(self) -> tuple[datetime, datetime] | None:
        return self._requester.server_time

    async def _send(self, request: Request[Any]) -> Response:
        self._check_open()
        return await self._requester.send(request)

    async def _again(self, errors: Mapping[str, PresenceError], attempt: int) -> list[str]:
        return await self._requester.wait_to_retry(errors, attempt)

    def _penalise(self, request: Request[Any], response: Response) -> None:
        self._requester.apply_429(request, response)


def _is_token_store(store: object) -> bool:
    methods = ("load", "save", "lock")
    return not isinstance(store, type) and all(callable(getattr(store, m, None)) for m in methods)


def _presets(limits: Mapping[str, GroupLimits | int] | None) -> dict[str, GroupLimits]:
    wrong = UsageError("limits must map group names to requests in 60 s, or to GroupLimits")
    if not isinstance(limits, (Mapping, NoneType)):
        raise wrong
    presets: dict[str, GroupLimits] = {}
    for name, given in (limits or {}).items():
        preset = GroupLimits(given) if type(given) is int else given
        if not isinstance(name, str) or not isinstance(preset, GroupLimits):
            raise wrong
        window = seconds("window", preset.window)
        if type(preset.limit) is not int or preset.limit < 1 or window > MAX_WINDOW:
            raise wrong
        presets[group_name(name)] = preset
    return presets


def _query(params: object) -> tuple[tuple[str, str], ...]:
    given = params.items() if isinstance(params, Mapping) else [("", object())]
    for name, value in given:
        if type(name) is not str or type(value) not in (str, int, bool, NoneType):
            raise UsageError("params must map str to str, int, bool or None")
    try:
        return tuple(
            (name, str(value).lower() if isinstance(value, bool) else str(value))
            for name, value in given
            if value is not None
        )
    except ValueError:
        raise UsageError("params has a number that is too long") from None


def _from_env(*names: str) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)
