"""The sandbox's HTTP side: it listens, keeps the ledger, and lets faults have their way."""

import asyncio
import re
from collections.abc import Callable

from aiohttp import web

from ..errors import UsageError
from . import routes
from .exchange import Exchange, Received, verb
from .faults import Faults
from .gateway.server import Gateway
from .request_body import read_body
from .responses import RefusedError, Reply, error_body, json_reply
from .router import Service

_GRACE = 0.1  # seconds that answers still on their way get at the end; a guess
MOST_REQUESTS = 10_000  # kept, so that a sandbox that runs for days does not fill the memory
_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)  # of a target in absolute form


class Listener:
    """Serves one `Service` on loopback.

    Args:
        service: what answers.
        gateway: what serves WebSockets.
        latency: seconds that every request takes.
        clock: tells the time of arrivals.

    Attributes:
        faults: what is to go wrong.
        requests: the latest requests in order of arrival, 10,000 at most.
    """

    def __init__(
        self, service: Service, gateway: Gateway, latency: float, clock: Callable[[], float]
    ) -> None:
        self.faults = Faults()
        self.requests: list[Received] = []
        self._service = service
        self._gateway = gateway
        self._latency = latency
        self._clock = clock
        self._closing = asyncio.Event()
        self._runner: web.ServerRunner | None = None
        self._url = ""

    async def start(self, host: str, port: int) -> None:
        """Listen; see `Sandbox.start`."""
        if self._runner is not None:
            raise UsageError("the sandbox is started already")
        self._closing = asyncio.Event()
        # Cancelling handlers of clients that have left is what ends a Hang.
        # Bodies are decompressed by read_body, which can refuse what is broken.
        server = web.Server(
            self._handle, handler_cancellation=True, access_log=None, auto_decompress=False
        )
        runner = web.ServerRunner(server, shutdown_timeout=_GRACE)
        await runner.setup()
        await web.TCPSite(runner, host, port, backlog=1024).start()
        host, port = runner.addresses[0][:2]
        self._url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._runner = runner

    async def close(self) -> None:
        """Stop listening; see `Sandbox.close`."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        self._closing.set()
        self._gateway.close()
        await runner.cleanup()
        await self._service.webhooks.close()

    @property
    def url(self) -> str:
        """The address; see `Sandbox.url`."""
        if self._runner is None:
            raise UsageError("the sandbox is not started: use `async with Sandbox() as sandbox`")
        return self._url

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        received = self._receive(request)
        standing = self._service.charge(received)
        objection: RefusedError | None = None
        try:
            received.body = await read_body(request)
        except RefusedError as error:
            objection = error

        def dress(reply: Reply) -> None:
            self._service.dress(reply, standing)

        def real() -> Reply:
            reply = self._service.answer(received, standing, self._url, objection)
            dress(reply)
            return reply

        transport = request.transport
        if transport is None:  # the client has left already
            return web.Response()
        exchange = Exchange(received, real, dress, self._closing, transport)
        if self._latency:
            await exchange.pause(self._latency)
        fault = self.faults.find(received)
        reply = real() if fault is None else await fault.apply(exchange)
        if reply is None:
            exchange.close()
            return web.Response()  # goes nowhere: the connection is closed
        reply = await self._service.finish(reply, standing)
        received.status = reply.status
        if reply.status == 101:
            try:
                return await self._gateway.serve(request, self._url)
            except web.HTTPBadRequest:
                reply = json_reply(error_body("CMN-101", "The handshake is malformed."), 400)
                dress(reply)
                received.status = 400
        response = web.Response(status=reply.status, body=reply.body, headers=reply.headers)
        if objection is not None:
            response.force_close()  # what is left of the body is not the next request
        return response

    def _receive(self, request: web.BaseRequest) -> Received:
        """Enter a request into the ledger."""
        target = request.raw_path
        if origin := _ORIGIN.match(target):
            target = "/" + target[origin.end() :].removeprefix("/")
        path, _, query = target.partition("?")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        found = routes.find(path)
        received = Received(
            arrival=self._clock(),
            method=request.method,
            path=path,
            query=query,
            group=self._service.group(verb(request.method), path),
            ids=tuple(found.ids.split(",")) if found and found.ids else (),
            token=token.strip() if scheme.lower() == "bearer" else None,
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        self.requests.append(received)
        del self.requests[:-MOST_REQUESTS]
        return received
