"""The sandbox as a server on loopback, and its remote control."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from ..errors import UsageError
from ..grants import JwtGrant
from . import argument_checks
from .argument_checks import shown
from .gateway.controls import GatewayControl
from .gateway.options import GatewayPlan
from .gateway.server import Gateway
from .http_server import Listener
from .in_thread import run_in_thread
from .permission_controls import Access
from .presence_controls import People
from .rate_limits import Plan
from .request_context import Options
from .router import Service
from .simulation import Simulation
from .tokens import ACCESS_LIFE, REFRESH_LIFE, Lives
from .webhooks.controls import WebhookControl

_MOST = 100_000  # extensions; more than any account has, and a sandbox of them starts in seconds


class Sandbox(People, Access):
    """RingCentral presence on loopback, for tests: an account of invented people.

    All nine presence calls work on one shared state, and WebSockets tell of its changes. Use it as
    an async context manager, or call `start` and `close`. Nothing about it is secret and nothing
    leaves the machine.

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
        window: seconds in which a group's limit is counted; a short one makes a short minute.
        limits: requests per window, for the groups that are to differ from RingCentral's default
            plan: Light 50, Medium 40, Heavy 10, Auth 5.
        penalty: seconds that a group stays shut after each 429; None for a window's.
        rate_headers: whether answers have the X-Rate-Limit headers.
        retry_after: whether a 429 has Retry-After, in whole seconds, at least 1.
        html_429: whether the body of a 429 is HTML.
        token_lifetime: seconds that access tokens live when the request for one does not say.
        refresh_tokens: whether a login brings a refresh token.
        gateway: how the WebSocket gateway behaves; None for RingCentral's defaults.
        clock: tells the time in seconds, never less than before; a test may bring its own.

    Attributes:
        gateway: what goes on at the WebSocket gateway, and what is to go wrong there.
        webhooks: what goes on at webhooks, and what is to go wrong there.
        faults: what is to go wrong.
        requests: the latest requests in order of arrival, 10,000 at most.

    Raises:
        UsageError: an argument has the wrong type or is out of range; there must be 1 to
            100,000 extensions.
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
        window: float = 60.0,
        limits: Mapping[str, int] | None = None,
        penalty: float | None = None,
        rate_headers: bool = True,
        retry_after: bool = True,
        html_429: bool = False,
        token_lifetime: float = ACCESS_LIFE,
        refresh_tokens: bool = True,
        gateway: GatewayPlan | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _check(extensions, seed, host, port, latency)
        argument_checks.flag("refresh_tokens", refresh_tokens)
        if not isinstance(gateway, GatewayPlan | None):
            raise UsageError(f"gateway must be a GatewayPlan or None, not {shown(gateway)}")
        argument_checks.function("clock", clock)
        options = Options(line_ending, hrefs, batch_limit, page_limit, paging_totals)
        plan = Plan(window, limits, penalty, rate_headers, retry_after, html_429)
        lives = Lives(token_lifetime, REFRESH_LIFE if refresh_tokens else 0.0)
        gateway_plan = gateway or GatewayPlan()
        service = Service(extensions, seed, options, plan, lives, gateway_plan)
        doors = Gateway(gateway_plan, service.feed)
        listener = Listener(service, doors, latency, clock)
        People.__init__(self, service, listener)
        Access.__init__(self, service, clock)
        self._address = (host, port)
        self._seed = seed
        self._simulations: list[Simulation] = []
        self.gateway = GatewayControl(doors)
        self.webhooks = WebhookControl(service.webhooks)
        self.faults = self._listener.faults
        self.requests = self._listener.requests

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

    @classmethod
    def in_thread(cls, extensions: int = 100, **options: Any) -> AbstractContextManager[Self]:
        """Run a sandbox on an event loop of its own, in a thread, for code without one.

        Use it as `with Sandbox.in_thread() as sandbox:`. What it yields has everything that a
        sandbox has, safe to use from any thread: properties and methods are run in the sandbox's
        thread, `requests` and other lists are copies, and what is to be awaited or used with
        `async with` elsewhere is called, or used with `with`, here.

        Args:
            extensions: how many extensions the account has.
            options: any other argument of Sandbox.

        Raises:
            UsageError: an argument is wrong.
            OSError: the address or port cannot be had.
        """
        return run_in_thread(lambda: cls(extensions, **options))

    async def start(self) -> None:
        """Listen.

        Raises:
            UsageError: it does already.
            OSError: the address or port cannot be had.
        """
        await self._listener.start(*self._address)

    async def close(self) -> None:
        """Stop listening and end all connections, whatever hangs; a second time does nothing."""
        for simulation in self._simulations:
            simulation.stop()
        self._simulations.clear()
        await self._listener.close()

    def simulate(self, rate: float = 1.0) -> Simulation:
        """Make the account live: calls ring, connect, are held and end, people change their minds.

        Use it as `async with sandbox.simulate(5):`, or call its `start` and `stop`; closing the
        sandbox stops it too. The changes are the same for the same seed.

        Args:
            rate: changes per second, on average.

        Raises:
            UsageError: rate is not a positive number.
        """
        simulation = Simulation(self._service.account, self.feed, rate, self._seed)
        self._simulations.append(simulation)
        return simulation

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


def _check(extensions: object, seed: object, host: object, port: object, latency: object) -> None:
    if type(extensions) is int and extensions < 1:
        raise UsageError("a sandbox needs at least one extension, the caller")
    argument_checks.whole("extensions", extensions, 1, _MOST)
    # random.Random would take other seeds, of which some are another one on every run.
    if type(seed) is not int:
        raise UsageError(f"seed must be a whole number, not {shown(seed)}")
    argument_checks.text("host", host)
    if not host:
        raise UsageError("host must be an address to listen on, such as 127.0.0.1")
    argument_checks.whole("port", port, 0, 65_535)
    argument_checks.seconds("latency", latency, zero=True)
