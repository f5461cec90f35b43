"""The sandbox as a server on loopback, and its remote control."""

import asyncio
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from ..errors import UsageError
from ..grants import JwtGrant
from . import routes, settings, telephone, views
from .account import Extension
from .answers import Reply
from .ask import Options
from .exchange import Exchange, Received
from .faults import Faults
from .service import Service

_GRACE = 0.1  # seconds that answers still on their way get at the end; a guess


class Sandbox:
    """RingCentral presence on loopback, for tests: an account of invented people.

    All nine presence calls work on one shared state. Use it as an async context manager, or call
    `start` and `close`. Nothing about it is secret and nothing leaves the machine.

    Args:
        extensions: how many extensions the account has. The first is a person, and the caller;
            one in twenty is not a person.
        seed: the same seed makes the same people, ids and credentials.
        host: the address to listen on.
        port: the port to listen on; 0 lets the system choose.
        line_ending: what ends the lines of a multipart answer.
        hrefs: whether the summary of a multipart answer has links.
        latency: seconds that every request takes.
        batch_limit: how many ids one request may name.
        page_limit: how many records of the account one page may have; more are cut to it.
        paging_totals: whether pages tell their number and how many there are.

    Attributes:
        faults: what is to go wrong.
        requests: every request so far, in order of arrival.

    Raises:
        UsageError: fewer extensions than one.
    """

    def __init__(
        self,
        extensions: int = 100,
        *,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        line_ending: str = "\r\n",
        hrefs: bool = True,
        latency: float = 0.0,
        batch_limit: int = 30,
        page_limit: int = 1000,
        paging_totals: bool = True,
    ) -> None:
        if extensions < 1:
            raise UsageError("a sandbox needs at least one extension, the caller")
        options = Options(line_ending, hrefs, batch_limit, page_limit, paging_totals)
        self.faults = Faults()
        self.requests: list[Received] = []
        self._service = Service(extensions, seed, options)
        self._account = self._service.account
        self._host = host
        self._port = port
        self._latency = latency
        self._closing = asyncio.Event()
        self._runner: web.ServerRunner | None = None
        self._url = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen.

        Raises:
            UsageError: it does already.
            OSError: the address or port cannot be had.
        """
        if self._runner is not None:
            raise UsageError("the sandbox is started already")
        self._closing = asyncio.Event()
        # Cancelling handlers of clients that have left is what ends a Hang.
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=_GRACE)
        await runner.setup()
        await web.TCPSite(runner, self._host, self._port).start()
        host, port = runner.addresses[0][:2]
        self._url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._runner = runner

    async def close(self) -> None:
        """Stop listening and end all connections, whatever hangs; a second time does nothing."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        self._closing.set()
        await runner.cleanup()

    @property
    def url(self) -> str:
        """The server's address, for `PresenceSession(server=…)`.

        Raises:
            UsageError: the sandbox is not started.
        """
        if self._runner is None:
            raise UsageError("the sandbox is not started: use `async with Sandbox() as sandbox`")
        return self._url

    @property
    def grant(self) -> JwtGrant:
        """The credentials to log in with, for `PresenceSession(sandbox.grant, …)`."""
        return self._service.authority.grant

    @property
    def client_id(self) -> str:
        """The client id of the one app that may log in."""
        return self.grant.client_id

    @property
    def client_secret(self) -> str:
        """The client secret of the one app that may log in."""
        return self.grant.client_secret

    @property
    def jwt(self) -> str:
        """The JWT of the one user who may log in."""
        return self.grant.jwt

    @property
    def account_id(self) -> str:
        """The id of the account, for which `~` also stands."""
        return self._account.id

    @property
    def extension_ids(self) -> tuple[str, ...]:
        """The ids of all extensions, in order; the first is the caller's, `~`."""
        return tuple(self._account.extensions)

    @property
    def user_ids(self) -> tuple[str, ...]:
        """The ids of the extensions that are persons."""
        return tuple(each.id for each in self._account.extensions.values() if each.is_user)

    @property
    def queue_ids(self) -> tuple[str, ...]:
        """The ids of the call queues; there is one from 20 extensions on."""
        return tuple(self._account.queues)

    def expire_tokens(self) -> None:
        """Let every access token given out so far be expired."""
        self._service.authority.expire_all()

    def presence(
        self, extension_id: str, detailed: bool = False, sip: bool = False
    ) -> dict[str, Any]:
        """Tell what a read of one extension's presence would answer now.

        Args:
            extension_id: whose.
            detailed: as detailedTelephonyState=true.
            sip: as sipData=true.

        Raises:
            UsageError: there is no such extension, or the sandbox is not started.
        """
        extension = self._extension(extension_id)
        return views.presence(self.url, self._account, extension, detailed=detailed, sip=sip)

    def set_presence(self, extension_id: str, **changes: Any) -> None:
        """Change what is stored of a person's presence.

        Args:
            extension_id: whose.
            changes: any of user_status, dnd_status, dnd_status_personal, telephony_status,
                meeting_status, message, allow_see_my_presence, accept_call_queue_calls,
                ring_on_monitored_call, pick_up_calls_on_hold, caller_id_visibility,
                glip_availability and glip_visibility, with RingCentral's values; and
                active_calls, a list of calls as RingCentral writes them. A telephony_status
                makes, changes or ends calls so that it is true.

        Raises:
            UsageError: there is no such person, name or value; nothing is changed then.
        """
        extension = self._extension(extension_id)
        if not extension.is_user:
            raise UsageError(f"extension {extension.id} is a {extension.kind} and has no presence")
        for name, value in changes.items():
            if name not in settings.NAMES:
                raise UsageError(f"{name} cannot be set; one of {', '.join(settings.NAMES)} can")
            if objection := settings.objection(name, value):
                raise UsageError(f"{name} must be {objection}, not {value!r}")
        status = changes.pop("telephony_status", None)
        settings.store(extension, changes)
        if status is not None:
            telephone.set_status(self._service.rng, extension, status)

    def ring(self, extension_id: str, from_: str | None = None) -> None:
        """Let a call come in.

        Args:
            extension_id: whose telephone rings.
            from_: the number that calls; None invents one.

        Raises:
            UsageError: there is no such extension.
        """
        extension = self._extension(extension_id)
        now = datetime.now(UTC)
        telephone.add_call(self._service.rng, extension, "Ringing", now, from_)

    def answer(self, extension_id: str) -> None:
        """Pick up the latest call that rings or is on hold; UsageError when there is none."""
        telephone.move(self._extension(extension_id), ("Ringing", "OnHold"), "CallConnected")

    def hold(self, extension_id: str) -> None:
        """Put the latest connected call on hold; UsageError when there is none."""
        telephone.move(self._extension(extension_id), ("CallConnected",), "OnHold")

    def hang_up(self, extension_id: str) -> None:
        """End the latest call, whatever its state; UsageError when there is none."""
        live = [status for status in settings.TELEPHONY if status != "NoCall"]
        telephone.move(self._extension(extension_id), live, "NoCall")

    def _extension(self, extension_id: str) -> Extension:
        if extension_id == "~":
            return self._account.caller
        if extension_id not in self._account.extensions:
            raise UsageError(f"the sandbox has no extension {extension_id!r}; see extension_ids")
        return self._account.extensions[extension_id]

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        received = self._receive(request)
        standing = self._service.charge(received)
        received.body = await request.read()

        def dress(reply: Reply) -> None:
            self._service.dress(reply, standing)

        def real() -> Reply:
            reply = self._service.answer(received, self._url)
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
        received.status = reply.status
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    def _receive(self, request: web.BaseRequest) -> Received:
        """Enter a request into the ledger."""
        path, _, query = request.raw_path.partition("?")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        found = routes.find(path)
        received = Received(
            arrival=time.monotonic(),
            method=request.method,
            path=path,
            query=query,
            group=self._service.group(request.method, path),
            ids=tuple(found.ids.split(",")) if found and found.ids else (),
            token=token if scheme.lower() == "bearer" else None,
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        self.requests.append(received)
        return received
