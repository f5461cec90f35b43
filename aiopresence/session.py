"""The session: a token, a connection pool, and every way to ask for presence."""

import asyncio
import os
from collections.abc import Mapping
from datetime import timedelta
from types import NoneType, TracebackType
from typing import Any, Literal, Self

import aiohttp
import attrs

from .bulk import BulkCalls
from .calls import Id
from .errors import UsageError
from .grants import AccessToken, JwtGrant
from .models.inputs import as_id
from .protocol import convert
from .protocol.limits import Group, GroupLimits, group_of
from .protocol.wire import JSON, Request, Response, is_path, refusal
from .transport.clock import Clock
from .transport.http import Http, check_server
from .transport.stats import Stats
from .transport.tokens import Tokens

# Every group name is remembered; a server that invents them must not fill the memory.
_MAX_GROUPS = 64


class PresenceSession(BulkCalls):
    """A session with one RingCentral server as one user. Use it with `async with`.

    Args:
        auth: a JwtGrant, an AccessToken, or an access token as str.
        server: the server's address; plain http is for loopback only.
        account_id: the account of calls that name none; "~" is the user's own.
        http: an aiohttp session of yours to use; it is not closed. None opens one of our own.
        timeout: seconds (or a timedelta) one request may take, the whole body included.
        concurrency: how many requests may be under way at once.
        batch_format: how batches are asked for: "multipart" (RingCentral's default), or "json",
            the array form.

    Raises:
        UsageError: an argument is wrong.
    """

    def __init__(
        self,
        auth: AccessToken | JwtGrant | str,
        *,
        server: str = "https://platform.ringcentral.com",
        account_id: Id = "~",
        http: aiohttp.ClientSession | None = None,
        timeout: float | timedelta = 30.0,
        concurrency: int = 8,
        batch_format: Literal["multipart", "json"] = "multipart",
    ) -> None:
        grant = AccessToken(auth) if isinstance(auth, str) else auth
        if not isinstance(grant, (AccessToken, JwtGrant)):
            raise UsageError("auth must be a JwtGrant, an AccessToken, or an access token as str")
        if not isinstance(http, (aiohttp.ClientSession, NoneType)):
            raise UsageError("http must be an aiohttp.ClientSession or None")
        if type(concurrency) is not int or concurrency < 1:
            raise UsageError("concurrency must be a positive int")
        super().__init__(
            as_id(account_id, "account_id", tilde=True),
            check_server(server),
            batch_format,
            concurrency,
            Stats(),
        )
        self._slots = asyncio.Semaphore(concurrency)
        self._clock = Clock()
        self._groups: dict[str, Group] = {}
        self._http = Http(self._server, http, _seconds(timeout), self._stats)
        self._tokens = Tokens(grant, self._http, self._clock)

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
            UsageError: a variable is missing; the message names it.
        """
        client_id, client_secret, jwt = (
            _required(f"{prefix}{ours}", f"RINGCENTRAL_{other}")
            for ours, other in (
                ("APP_CLIENT_ID", "CLIENT_ID"),
                ("APP_CLIENT_SECRET", "CLIENT_SECRET"),
                ("USER_JWT", "JWT_TOKEN"),
            )
        )
        if server := _from_env(f"{prefix}SERVER_URL", "RINGCENTRAL_SERVER_URL"):
            options.setdefault("server", server)
        return cls(JwtGrant(client_id, client_secret, jwt), **options)

    async def __aenter__(self) -> Self:
        await self._http.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection pool, unless it is yours. Nothing can be sent afterwards."""
        await self._http.close()

    @property
    def stats(self) -> Stats:
        """What this session has done so far."""
        return attrs.evolve(self._stats)

    @property
    def limits(self) -> dict[str, GroupLimits]:
        """What is known of each usage-plan group, by its name, such as "Light"."""
        now = self._clock.now()
        return {name: group.view(now) for name, group in self._groups.items()}

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
        if not is_path(path):
            raise UsageError("path must begin with /restapi/, percent-encoded and without a query")
        if not (isinstance(method, str) and method.isascii() and method.isalpha()):
            raise UsageError("method must be an HTTP method, such as GET")
        query = _query({} if params is None else params)
        body = None if json is None else convert.dump(json)
        headers = {} if json is None else {"content-type": JSON}
        # The group is not known beforehand; the answer tells.
        return await self._send(Request(method.upper(), path, "", object, query, body, headers))

    async def _send(self, request: Request[Any]) -> Response:
        async with self._slots:
            token = await self._tokens.access_token()
            response = await self._http.send(request, f"Bearer {token}")
        self._learn(response)
        if not 200 <= response.status < 300:
            raise refusal(response)
        return response

    def _learn(self, response: Response) -> None:
        name = (group_of(response.headers) or "").capitalize()
        if name and (name in self._groups or len(self._groups) < _MAX_GROUPS):
            group = self._groups.setdefault(name, Group())
            group.settle(self._clock.now(), response.status, response.headers)


def _seconds(timeout: float | timedelta) -> float:
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise UsageError("timeout must be a positive number of seconds, or a timedelta")
    return float(seconds)


def _query(params: object) -> tuple[tuple[str, str], ...]:
    given = params.items() if isinstance(params, Mapping) else [("", object())]
    for name, value in given:
        if not isinstance(name, str) or not isinstance(value, (str, int, NoneType)):
            raise UsageError("params must map names to str, int, bool or None")
    return tuple(
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in given
        if value is not None
    )


def _from_env(*names: str) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)


def _required(name: str, other: str) -> str:
    value = _from_env(name, other)
    if value is None:
        raise UsageError(f"set {name} or {other} in the environment")
    return value
