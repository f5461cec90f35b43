"""The session: a login with one server, and everything that is done with it.

`PresenceSession` is put together from parts that do not know it. `Requester` sends requests, with
the token, the rate limiter and the retries; `BatchReader`, `BulkWriter` and `AccountReader` turn
many ids or a whole account into requests (see `presence_api`); `live` follows presence over time.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from ssl import SSLContext
from types import NoneType, TracebackType
from typing import Any, Literal, Self

import aiohttp
import attrs

from .credentials import parse_auth, read_credentials
from .errors import UsageError
from .filters import account_presence
from .grants import AccessToken, Grant
from .ids import Id, parse_id_set
from .live import PresenceBoard
from .live.board_directory import BoardDirectory
from .live.board_feed import BoardFeed
from .live.board_filters import board_filters
from .live.events import iter_events
from .live.polling import poll
from .live.snapshot import SnapshotReader
from .live.source import BoardSpec, NewSource, SharedBoard
from .models import PresenceChange, PresenceEvent, Resync
from .models.validation import seconds
from .presence_api import PresenceApi
from .protocol import endpoints
from .protocol.endpoints import ReadOptions
from .protocol.event_filters import check_filters
from .protocol.oauth import store_key
from .protocol.presence_state import PresenceState
from .protocol.rate_limits import GroupLimits
from .protocol.rest import Response
from .protocol.stats import Stats
from .protocol.urls import check_server
from .readers import Readers
from .redaction import Secret
from .transport.clock import Clock
from .transport.event_connection import EventConnection
from .transport.hooks import SessionHooks
from .transport.http import HttpClient
from .transport.instrumentation import Instrumentation
from .transport.network import Network
from .transport.rate_limiter import RateLimiter, parse_limits
from .transport.request_queue import RequestQueue
from .transport.requester import Requester
from .transport.token_store import TokenStore, is_token_store


class PresenceSession(PresenceApi):
    """A session with one RingCentral server as one user. Use it with `async with`.

    Args:
        auth: a JwtGrant, RefreshTokenGrant, AuthorizationCodeGrant or AccessToken, or an access
            token as str.
        server: the address of the server; plain http is accepted for loopback addresses only.
        account_id: the account of calls that name none; "~" is the user's own.
        http: an aiohttp session to send requests with; it is not closed. None opens one.
        timeout: seconds (or a timedelta) for one request, until its whole response has arrived.
        concurrency: the maximum number of requests in flight.
        attempts: how often a request is sent at most, the first time included.
        max_wait: seconds (or a timedelta) a request may wait for the rate limits and for other
            requests, and before each retry; a request that would have to wait longer fails at
            once. None waits as long as necessary, except for a penalty of more than an hour or a
            Retry-After of more than ten minutes.
        batch_format: the format of batch responses: "multipart" (RingCentral's default), or
            "json", the array form.
        limits: the rate limits of usage-plan groups by name, where they differ from RingCentral's
            defaults: requests in 60 seconds, or GroupLimits. Response headers correct them.
            Sessions with the same server and login on one event loop share their limits; those of
            many processes do with RedisLimits.
        token_store: where tokens are kept, so that processes can share a login. None keeps them
            in memory, for all sessions with the same login on this event loop.
        hooks: an object of a subclass of SessionHooks, whose methods are called with each request,
            wait, retry, token, connection and event.
        proxy: the HTTP proxy through which encrypted connections are made, as
            "http://user:password@host:port"; user name and password may be left out. None connects
            directly, or as `http` does.
        ssl: an ssl.SSLContext that decides which certificates are trusted, as
            `ssl.create_default_context(cafile=…)` returns it; None for OpenSSL's defaults, which
            SSL_CERT_FILE and SSL_CERT_DIR change. A context that does not verify certificates and
            host names, or allows less than TLS 1.2, is accepted for loopback addresses only.
        trust_env: whether to use the proxy that HTTPS_PROXY names, except for the hosts in
            NO_PROXY and for loopback addresses, if `proxy` is None. A .netrc file is never read.

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
        limits: Mapping[str, GroupLimits | int] | RateLimiter | None = None,
        token_store: TokenStore | None = None,
        hooks: SessionHooks | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trust_env: bool = False,
    ) -> None:
        if isinstance(proxy, str):
            proxy = Secret(proxy)  # tracebacks may be shown with local variables
        grant = parse_auth(auth)
        if not isinstance(http, (aiohttp.ClientSession, NoneType)):
            raise UsageError("http must be an aiohttp.ClientSession or None")
        for name, value in (("concurrency", concurrency), ("attempts", attempts)):
            if type(value) is not int or value < 1:
                raise UsageError(f"{name} must be a positive int")
        if token_store is not None and not is_token_store(token_store):
            raise UsageError("token_store must be a TokenStore, such as FileTokenStore(path)")
        longest = None if max_wait is None else seconds("max_wait", max_wait, zero=True)
        self._instrumentation = Instrumentation(hooks, self._clock)
        server = check_server(server)
        network = Network.create(proxy, ssl, trust_env, server)
        pool = HttpClient(server, http, seconds("timeout", timeout), network)
        presets, limiter = parse_limits(limits)
        self._limiter = RequestQueue(
            presets, concurrency, self._clock, longest, self._instrumentation
        )
        requester = Requester(
            grant, token_store, limiter, pool, self._limiter, attempts, self._instrumentation
        )
        readers = Readers.create(requester, self._instrumentation, batch_format, concurrency)
        super().__init__(requester, self._instrumentation, readers, account_id=account_id)
        # Identifies server, app and user for what is shared between processes.
        self._login = None if isinstance(grant, AccessToken) else store_key(server, grant)
        # The tasks that follow events; they end with the session.
        self._live_tasks: set[asyncio.Task[None]] = set()

    @classmethod
    def from_env(cls, prefix: str = "RC_", **options: Any) -> Self:
        """Create a session with the credentials in environment variables.

        Reads RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET, RC_USER_JWT and RC_SERVER_URL, and in place of
        one that is not set RINGCENTRAL_CLIENT_ID, RINGCENTRAL_CLIENT_SECRET, RINGCENTRAL_JWT_TOKEN
        or RINGCENTRAL_SERVER_URL. The default server is RingCentral's production.

        Args:
            prefix: replaces "RC_".
            options: other arguments of PresenceSession.

        Raises:
            UsageError: variables are missing; the message names them.
        """
        grant, server = read_credentials(prefix)
        return cls(grant, **({"server": server} if server else {}) | options)

    async def __aenter__(self) -> Self:
        await self._requester.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection pool, unless it was passed as `http`, and stop boards and events.

        Requests that are waiting fail with UsageError; outcomes of bulk calls have a
        ConnectionFailed. The login remains valid, in the token store and at RingCentral; `revoke`
        ends it. Closing a closed session does nothing.

        Raises:
            UsageError: the session is open on another event loop.
        """
        if not self._requester.is_open:
            return
        self._requester.check_open()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._end_live_tasks)  # Those that have begun meanwhile.
            stack.push_async_callback(self._requester.close)
            await self._end_live_tasks()

    async def _end_live_tasks(self) -> None:
        for task in (tasks := [*self._live_tasks]):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def revoke(self) -> None:
        """Revoke all tokens of the login at RingCentral, and delete them from the token store.

        Does not raise when RingCentral cannot be reached: the tokens are deleted all the same. The
        next call logs in again.

        Raises:
            UsageError: the session is not open.
        """
        await self._requester.revoke()

    @property
    def stats(self) -> Stats:
        """A snapshot of the counters of this session."""
        return attrs.evolve(self._instrumentation.stats)

    @property
    def limits(self) -> dict[str, GroupLimits]:
        """The state of each usage-plan group by its name, such as "Light", in any case.

        The groups are those used by any session with the same server and login on this event loop,
        and those passed as `limits`.
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
        """Send a request to any endpoint of RingCentral's API, with the login of this session.

        Args:
            method: the HTTP method.
            path: percent-encoded, from "/restapi/", without a query.
            params: the query; None values are left out.
            json: the body: a JSON value, or a record of this library; None sends no body.

        Raises:
            UsageError: an argument is wrong, or the session is not open. Nothing was sent.
            PresenceError: as the presence calls, except DecodeError; see `Response.json`.
        """
        # Callers print responses: take secrets out, should the server have repeated one.
        return (await self._request(method, path, params, json)).without_secrets()

    async def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int | bool | None] | None = None,
        json: Any = None,
    ) -> Response:
        """Send a request as `request` does, and return the response as it came."""
        return await self._requester.send(endpoints.custom_request(method, path, params, json))

    def events(
        self, event_filters: Iterable[str] | None = None, *, detailed: bool = False
    ) -> AsyncGenerator[PresenceEvent | Resync, None]:
        """Follow presence events for as long as the generator is iterated.

        Reconnects after every failure that may pass, and continues where it was if RingCentral
        allows it. Each event is yielded once. A `Resync` stands where events may be missing. Up to
        10,000 events are buffered for a slow consumer; later ones are dropped, and a Resync states
        how many.

        Each call opens a connection of its own. Iterate inside `contextlib.aclosing`, which closes
        it when the iteration ends.

        Args:
            event_filters: what to follow, such as `[filters.call_queue_presence(id)]`; None follows
                the presence of all extensions of the session's account.
            detailed: include active calls, if there are no filters.

        Raises:
            UsageError: an argument is wrong; raised at once.
            PermissionDenied: a filter is not allowed, or events are not. They need the permission
                WebSocketsSubscription and those that `filters` names.
            InvalidRequest: a filter is wrong.
            AuthError: the credentials or the token were refused.
            SessionLost: the session was closed.

        Source: RingCentral guide, "WebSockets".
        """
        if event_filters is None:
            event_filters = [account_presence(detailed=detailed, account_id=self.account_id)]
        connection = self._event_connection(check_filters(event_filters))
        return iter_events(connection, self._live_tasks, self._requester.check_open)

    def board(
        self,
        extension_ids: Iterable[Id] | None = None,
        *,
        detailed_telephony_state: bool = False,
        sip_data: bool = False,
        refresh: float | timedelta | None = 3600.0,
        shared: SharedBoard | None = None,
        directory: bool = False,
    ) -> PresenceBoard:
        """Keep the presence of many extensions up to date: `async with session.board() as board:`.

        Args:
            extension_ids: the extensions, without "~"; None follows all of the session's account.
                Events of single extensions need the permission ReadPresence. Those of an account
                need ReadAccounts, and are also used for more than 2,000 ids. Ids that cannot be
                read are in `board.errors`.
            detailed_telephony_state: include `active_calls`.
            sip_data: include `active_calls` and their `sip_data`.
            refresh: seconds (or a timedelta) after which everything is read again. That corrects
                what no event reports, such as a changed message. None never does.
            shared: a RedisBoard, to share the board with other processes; None follows alone.
            directory: also read who the extensions are, for `board.find`, `board.entry` and the
                `entry` of changes; see `read_directory`. It is read again after `refresh`, at most
                once an hour, and when an extension appears that it does not have. Without the
                permission ReadAccounts the board works without names.

        Raises:
            UsageError: an argument is wrong. See PresenceBoard for the errors of the board.
        """
        options = self._live_options(detailed_telephony_state, sip_data)
        ids = None if extension_ids is None else parse_id_set(extension_ids)
        every = float("inf") if refresh is None else seconds("refresh", refresh)

        def connect(unavailable: frozenset[str]) -> EventConnection:
            return self._event_connection(board_filters(ids, options, unavailable))

        def new_feed(state: PresenceState, *listeners: Any) -> BoardFeed:
            return BoardFeed(connect, self._reader(state, options), every, *listeners)

        spec = BoardSpec(
            self._login, ids, options, new_feed, self._clock, self._instrumentation.resynced
        )
        new_source: NewSource = partial(new_feed, spec.new_state())
        if shared is not None:
            if not callable(getattr(shared, "new_source", None)):
                raise UsageError("shared must be a RedisBoard, or None")
            new_source = partial(shared.new_source, spec)
        if type(directory) is not bool:
            raise UsageError("directory must be True or False")
        read = partial(self._readers.directory_reader.read, self.account_id)
        names = BoardDirectory(read, every, self._clock) if directory else None
        return PresenceBoard(new_source, self._live_tasks, self._requester.check_open, names)

    def poll(
        self,
        extension_ids: Iterable[Id] | None = None,
        *,
        interval: float | timedelta | None = None,
        detailed_telephony_state: bool = False,
        sip_data: bool = False,
    ) -> AsyncGenerator[PresenceChange, None]:
        """Follow presence by repeated reads, for users and apps without the permission for events.

        Each round reads in batches or by pages of the account, whichever the rate limits allow
        sooner; the `source` of a change and the log show which. The first round yields every
        extension, as a change from None.

        Args:
            extension_ids: the extensions, without "~"; None follows all of the session's account.
                Ids that cannot be read are logged.
            interval: seconds (or a timedelta) from the start of one round to the start of the next;
                None is the shortest interval that the rate limits sustain.
            detailed_telephony_state: include `active_calls`.
            sip_data: include `active_calls` and their `sip_data`.

        Yields:
            The changes.

        Raises:
            UsageError: an argument is wrong; raised at once.
            PermissionDenied: the user may not read presence.
            AuthError: the credentials or the token were refused. Other errors are retried.
        """
        options = self._live_options(detailed_telephony_state, sip_data)
        ids = None if extension_ids is None else parse_id_set(extension_ids)
        every = None if interval is None else seconds("interval", interval)
        state = PresenceState(ids, detailed=options.has_calls)
        return poll(self._reader(state, options), ids, every)

    def _live_options(self, detailed_telephony_state: bool, sip_data: bool) -> ReadOptions:
        """Return the options of a board or a poll; UsageError if a flag is not a bool."""
        if detailed_telephony_state is None or sip_data is None:
            raise UsageError("detailed_telephony_state and sip_data must be True or False")
        return ReadOptions(self.account_id, detailed_telephony_state, sip_data)

    def _event_connection(self, event_filters: tuple[str, ...]) -> EventConnection:
        return EventConnection(event_filters, self._requester, self._clock, self._instrumentation)

    def _reader(self, state: PresenceState, options: ReadOptions) -> SnapshotReader:
        return SnapshotReader(
            self._readers,
            options,
            state,
            self._limiter.snapshot,
            self._clock,
            lambda: self._requester.last_response,
        )
