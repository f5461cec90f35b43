"""The sandbox's HTTP server: it listens, records requests, and applies faults."""

import asyncio
import re
from collections.abc import Callable

import attrs
from aiohttp import web

from ..errors import UsageError
from .exchange import Exchange, Received
from .faults import Faults
from .gateway.server import GatewayServer
from .rate_limits import QuotaState
from .request_body import read_body
from .responses import RefusedError, Response, error_body, json_response
from .router import Router
from .state import SandboxState

MOST_REQUESTS = 10_000  # recorded; bounds the memory of a sandbox that runs for days
_SHUTDOWN_GRACE = 0.1  # seconds for responses that are being sent when the server stops; a guess
_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)  # of a request target in absolute form


@attrs.frozen
class _Arrival:
    """A request, its place in the usage plan, and why its body could not be read, or None."""

    received: Received
    quota_state: QuotaState | None
    unreadable: RefusedError | None


class HttpServer:
    """Serves the endpoints and the WebSocket gateway of one sandbox.

    Args:
        state: what the endpoints read and change.
        gateway: takes over connections that become WebSockets.
        latency: seconds that every response is delayed.
        clock: returns the time of arrivals in seconds.

    Attributes:
        faults: the faults that requests meet.
        requests: the latest requests in order of arrival, at most 10,000.
    """

    def __init__(
        self,
        state: SandboxState,
        gateway: GatewayServer,
        latency: float,
        clock: Callable[[], float],
    ) -> None:
        self.faults = Faults()
        self.requests: list[Received] = []
        self._state = state
        self._router = Router(state)
        self._gateway = gateway
        self._latency = latency
        self._clock = clock
        self._closing = asyncio.Event()
        self._runner: web.ServerRunner | None = None

    async def start(self, host: str, port: int) -> None:
        """Start to listen; see `Sandbox.start`."""
        if self._runner is not None:
            raise UsageError("the sandbox is started already")
        self._closing = asyncio.Event()
        # handler_cancellation ends a Hang when its client disconnects. read_body decompresses,
        # because it can refuse a malformed body.
        server = web.Server(
            self._handle, handler_cancellation=True, access_log=None, auto_decompress=False
        )
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_GRACE)
        await runner.setup()
        await web.TCPSite(runner, host, port, backlog=1024).start()
        host, port = runner.addresses[0][:2]
        self._state.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._runner = runner

    async def close(self) -> None:
        """Stop to listen; see `Sandbox.close`."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        self._closing.set()
        self._gateway.close()
        await runner.cleanup()
        await self._state.webhooks.close()
        self._state.url = ""

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        arrival = await self._receive(request)
        transport = request.transport
        if transport is None:  # the client has disconnected
            return web.Response()
        exchange = self._exchange(arrival, transport)
        if self._latency:
            await exchange.pause(self._latency)
        fault = self.faults.find(arrival.received)
        response = exchange.real() if fault is None else await fault.apply(exchange)
        if response is None:
            exchange.close()
            return web.Response()  # is not sent: the connection is closed
        response = await self._router.finish(response, arrival.quota_state)
        arrival.received.status = response.status
        if response.status == 101:
            return await self._upgrade(request, exchange)
        return _sent(response, close=arrival.unreadable is not None)

    async def _receive(self, request: web.BaseRequest) -> _Arrival:
        """Record a request, count it in the usage plan, and read its body."""
        received = self._record(request)
        quota_state = self._router.charge(received)
        try:
            received.body = await read_body(request)
        except RefusedError as error:
            return _Arrival(received, quota_state, error)
        return _Arrival(received, quota_state, None)

    def _record(self, request: web.BaseRequest) -> Received:
        target = request.raw_path
        if origin := _ORIGIN.match(target):
            target = "/" + target[origin.end() :].removeprefix("/")
        path, _, query = target.partition("?")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        received = Received(
            arrival=self._clock(),
            method=request.method,
            path=path,
            query=query,
            token=token.strip() if scheme.lower() == "bearer" else None,
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        self._router.classify(received)
        self.requests.append(received)
        del self.requests[:-MOST_REQUESTS]
        return received

    def _exchange(self, arrival: _Arrival, transport: asyncio.Transport) -> Exchange:
        received, quota_state = arrival.received, arrival.quota_state

        def add_standard_headers(response: Response) -> None:
            self._router.add_standard_headers(response, quota_state)

        def real() -> Response:
            response = self._router.answer(received, quota_state, arrival.unreadable)
            add_standard_headers(response)
            return response

        return Exchange(received, real, add_standard_headers, self._closing, transport)

    async def _upgrade(self, request: web.BaseRequest, exchange: Exchange) -> web.StreamResponse:
        """Serve a WebSocket, or answer 400 if its handshake is malformed."""
        try:
            return await self._gateway.serve(request, self._state.url)
        except web.HTTPBadRequest:
            response = json_response(error_body("CMN-101", "The handshake is malformed."), 400)
            exchange.add_standard_headers(response)
            exchange.received.status = 400
            return _sent(response, close=False)


def _sent(response: Response, *, close: bool) -> web.Response:
    """Return a response as aiohttp sends it.

    Args:
        response: the response.
        close: whether the connection is closed after it, because what is left of a body that was
            not read would be taken for the next request.
    """
    sent = web.Response(status=response.status, body=response.body, headers=response.headers)
    if close:
        sent.force_close()
    return sent
