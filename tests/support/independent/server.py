"""The server: one socket for HTTP and WebSockets, and what tests control."""

import asyncio
import random
import re
import socket
import struct
from collections.abc import Callable
from typing import Any, Self

from tests.support.independent import faults as fault_kinds, websocket_wire
from tests.support.independent.account import (
    Account,
    Extension,
    Json,
    build_account,
    matching_calls,
)
from tests.support.independent.clock import ServerClock
from tests.support.independent.dispatch import Arrival, Dispatcher, request_id
from tests.support.independent.errors import error_body
from tests.support.independent.faults import Fault, Faults, Kind
from tests.support.independent.gateway import Gateway
from tests.support.independent.http_wire import (
    Request,
    Response,
    WireError,
    json_response,
    read_request,
)
from tests.support.independent.oauth import OAuth
from tests.support.independent.presence_calls import PresenceCalls
from tests.support.independent.quotas import DEFAULT_LIMITS, Quotas
from tests.support.independent.records import presence_record
from tests.support.independent.subscription_calls import SubscriptionCalls
from tests.support.independent.subscriptions import Subscriptions
from tests.support.independent.webhooks import Webhooks

PERMISSIONS = (
    "ReadPresence",
    "EditPresence",
    "ReadAccounts",
    "SubscriptionWebhook",
    "WebSocketsSubscription",
)


class IndependentServer:
    """RingCentral on loopback, written from its description alone.

    Args:
        users: How many users the account has, besides two call queues and an IVR menu.
        seed: Decides what RingCentral leaves open: the form of batches, the spelling of headers,
            which totals a page has, and faults by chance.
        limits: Requests per window of groups that differ from the defaults.
        window: The window of the rate limits, in seconds.
        clock: Returns the time in seconds; the event loop's time if None.

    Everything else is set on its parts: `oauth`, `quotas`, `calls`, `gateway`, `webhooks`,
    `permissions`, `account.forbidden`. `violations` has what a client did that RingCentral does
    not expect; `requests` is the ledger.
    """

    def __init__(
        self,
        users: int = 100,
        *,
        seed: int = 0,
        limits: dict[str, int] | None = None,
        window: float = 60.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.url = ""
        self.chance = random.Random(seed)  # noqa: S311 - a seed has to repeat
        self.account: Account = build_account(users)
        self.permissions: set[str] = set(PERMISSIONS)
        self.violations: list[str] = []
        self.requests: list[Arrival] = []
        self.now = ServerClock(clock)
        self.faults = Faults(self.chance)
        self.oauth = OAuth(self.now, self.account.caller)
        self.quotas = Quotas(
            self.now,
            self.chance,
            {**DEFAULT_LIMITS, **(limits or {})},
            window,
            penalty=window + 0.9,
        )
        self.subscriptions = Subscriptions(self.account, self.now, self.chance, self.permissions)
        self.webhooks = Webhooks(self.now)
        self._subscription_calls = SubscriptionCalls(self.subscriptions, self.webhooks)
        self.calls = PresenceCalls(
            self.account,
            lambda: self.url,
            self.chance,
            self.violations,
            self._store,
            self.subscriptions.queue_changed,
        )
        self.gateway = Gateway(
            self.now, self.chance, self.subscriptions, self._in_websocket, self.violations
        )
        self._dispatcher = Dispatcher(
            self.oauth,
            self.quotas,
            self.calls,
            self._subscription_calls,
            self.gateway,
            self.permissions,
            self.violations,
            self.requests,
        )
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self, port: int = 0) -> None:
        """Listen on loopback, on a port that the system chooses if it is 0."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=1 << 20)
        number = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{number}"
        self._dispatcher.url = self._subscription_calls.server = self.url

    async def close(self) -> None:
        """End everything that runs."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.webhooks.close()

    @property
    def client_id(self) -> str:
        return self.oauth.client_id

    @property
    def client_secret(self) -> str:
        return self.oauth.client_secret

    @property
    def jwt(self) -> str:
        return self.oauth.jwt

    @property
    def extension_ids(self) -> list[str]:
        return list(self.account.extensions)

    @property
    def user_ids(self) -> list[str]:
        return self.account.ids_of("User")

    @property
    def queue_ids(self) -> list[str]:
        return self.account.ids_of("Department")

    def presence(self, extension_id: str, *, detailed: bool = False) -> Json:
        """Return the record of an extension, as a read would at present."""
        extension = self.account.extensions[self.account.resolve(extension_id)]
        return presence_record(self.account, extension, self.url, detailed=detailed, sip_data=False)

    def set_presence(self, extension_id: str, **fields: Any) -> None:
        """Change fields, named as in JSON or in snake case, and send the events for it.

        A telephony status without `active_calls` begins, changes or ends a call to match.
        """
        extension = self.account.extensions[self.account.resolve(extension_id)]
        changes = {_camel(name): value for name, value in fields.items()}
        if "telephonyStatus" in changes and "activeCalls" not in changes:
            changes["activeCalls"] = matching_calls(extension, changes["telephonyStatus"])
        self._store(extension, changes)

    def fail_next(self, kind: Kind, path: str = "", times: int = 1, **options: Any) -> Fault:
        """Let the next requests whose path contains `path` fail; return what counts them."""
        fault = Fault(kind, path, times, **options)
        self.faults.pending.append(fault)
        return fault

    def fail_by_chance(self, rate: float, *kinds: Kind, path: str = "") -> None:
        """Let this share of all requests fail, each with one of these kinds."""
        self.faults.rate, self.faults.kinds, self.faults.path = rate, kinds, path

    def drop_connections(self, *, polite: bool = False) -> int:
        """End all WebSockets, with a close frame or a reset; return how many there were."""
        return self.gateway.drop(polite=polite)

    def expire_tokens(self) -> None:
        """Let all access tokens expire now."""
        for session in self.oauth.sessions:
            session.access_until = self.now()

    def _store(self, extension: Extension, fields: Json) -> None:
        """Change fields and send what the user who is logged in can see of it."""
        before = self._visible(extension)
        extension.presence.update(fields)
        after = self._visible(extension)
        changed = {name for name in after if after[name] != before.get(name)}
        if before["allowSeeMyPresence"] != after["allowSeeMyPresence"]:
            # Nobody has changed what others could not see before.
            changed &= {*fields, "presenceStatus"}
        if changed:
            extension.sequence += 1
            self.subscriptions.presence_changed(extension, after, changed)

    def _visible(self, extension: Extension) -> Json:
        return presence_record(self.account, extension, self.url, detailed=True, sip_data=True)

    async def _in_websocket(self, *args: Any) -> tuple[int, Json]:
        return await self._dispatcher.in_websocket(*args)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            while (request := await read_request(reader)) is not None:
                if websocket_wire.is_upgrade(request):
                    await self._upgrade(request, reader, writer)
                    return
                if not await self._exchange(request, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except (WireError, websocket_wire.FrameError) as error:
            self.violations.append(str(error))
        except asyncio.CancelledError:
            pass  # the server is being closed; streams would log it
        except Exception as error:  # a test must notice it, not hang
            self.violations.append(f"the server failed: {error!r}")
        finally:
            writer.transport.abort()

    async def _upgrade(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        query = dict(request.query)
        client_id = self.oauth.use_wstoken(query.get("access_token", ""))
        if request.path != "/ws" or client_id is None:
            body = error_body("OAU-149", "Invalid access token")
            await self._send(json_response(401, body), writer)
            return
        writer.write(websocket_wire.handshake(request).encode())
        await self.gateway.serve(client_id, query.get("wsc"), reader, writer)

    async def _exchange(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False means that the connection is over."""
        entry = Arrival(self.now(), request.method, request.path)
        self.requests.append(entry)
        refused = self._dispatcher.admit(request, entry)
        fault = None if refused else self.faults.draw(request)
        entry.fault = fault.kind if fault else ""
        if fault is not None and fault.kind == "reset":
            _reset(writer)
            return False
        if fault is not None and fault.kind in fault_kinds.ANSWERS:
            response = fault_kinds.answer_of(fault)
        else:
            response = refused or await self._dispatcher.respond(request, entry)
        return await self._finish(response, entry, fault, writer)

    async def _finish(
        self, response: Response, entry: Arrival, fault: Fault | None, writer: asyncio.StreamWriter
    ) -> bool:
        if fault is not None and fault.kind == "lost_reply":
            _reset(writer)
            return False
        if fault is not None and fault.kind in fault_kinds.BATCH_KINDS:
            response = fault_kinds.damaged(response, fault.kind)
        entry.status = response.status
        await self._send(response, writer, fault)
        return fault is None or fault.kind != "truncate"

    async def _send(
        self, response: Response, writer: asyncio.StreamWriter, fault: Fault | None = None
    ) -> None:
        response.headers += [request_id(), ("Date", self.now.http_date())]
        data = response.encode()
        if fault is not None and fault.kind == "truncate":
            writer.write(data[: len(data) - len(response.body) // 2 - 1])
            await writer.drain()
            await asyncio.sleep(0)
            return
        if fault is not None and fault.kind == "slow":
            writer.write(data[:20])
            await asyncio.sleep(fault.delay)
            data = data[20:]
        writer.write(data)
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset, not with an orderly end."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
