"""`Sandbox`: the server, and its methods for tests."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from ..errors import UsageError
from . import argument_checks, clock as clocks
from .access_controls import AccessControls
from .argument_checks import shown
from .directory_controls import DirectoryControls
from .gateway.controls import GatewayControl
from .gateway.options import GatewayPlan
from .gateway.server import GatewayServer
from .http_server import HttpServer
from .in_thread import run_in_thread
from .rate_limits import UsagePlan
from .request_context import ResponseOptions
from .simulation import Simulation
from .state import SandboxState
from .tokens import ACCESS_LIFETIME, REFRESH_LIFETIME, TokenLifetimes
from .webhooks.controls import WebhookControl

_MAX_EXTENSIONS = 100_000  # more than any account has; such a sandbox starts in seconds


class Sandbox(DirectoryControls, AccessControls):
    """A server with RingCentral's presence API on loopback, for tests, with an invented account.

    All endpoints share one state, and WebSockets and webhooks notify of its changes. Use it as
    an async context manager, or call `start` and `close`. No credential of it is a secret, and
    nothing is sent to other machines.

    Args:
        extensions: the number of extensions, 1 to 100,000. The first is the user who logs in;
            one in twenty is not a person.
        seed: the same seed makes the same people, ids and credentials.
        host: the address to listen on.
        port: the port to listen on; 0 for any free one.
        line_ending: the line ending of multipart responses: CRLF, LF or CR.
        hrefs: whether the summary of a multipart response has links.
        latency: seconds that every response is delayed, 0 or more.
        batch_limit: the most ids that one request may have.
        page_limit: the most records that a page of the account may have; larger pages are cut. A
            page of the directory may have twice as many.
        paging_totals: whether pages have their number and the totals.
        window: the window of all usage-plan groups in seconds. A short one, such as 1.0, makes
            tests of rate limits fast.
        limits: requests per window for groups that differ from RingCentral's default plan:
            Light 50, Medium 40, Heavy 10, Auth 5. None for the default plan.
        penalty: seconds that a group refuses requests after each 429; None for a window's.
        rate_headers: whether responses have the X-Rate-Limit headers.
        retry_after: whether 429s have Retry-After, in whole seconds, at least 1.
        html_429: whether 429s have an HTML body instead of JSON.
        token_lifetime: seconds that access tokens are valid if the request does not say.
        refresh_tokens: whether logins return refresh tokens.
        gateway: the options of the WebSocket gateway; None for RingCentral's.
        clock: returns the time in seconds, for limits and tokens, and never goes back; by default
            `time.monotonic`, or the event loop's clock in virtual time. All else follows the
            event loop's clock.

    Attributes:
        gateway: connections, frames and faults of the WebSocket gateway.
        webhooks: webhook subscriptions, deliveries and their faults.
        faults: the faults that HTTP requests meet.
        requests: the latest requests in order of arrival, at most 10,000.

    Raises:
        UsageError: an argument has the wrong type or is out of range.
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
        token_lifetime: float = ACCESS_LIFETIME,
        refresh_tokens: bool = True,
        gateway: GatewayPlan | None = None,
        clock: Callable[[], float] = clocks.now,
    ) -> None:
        _check(extensions, seed, host, port, latency, refresh_tokens, gateway, clock)
        options = ResponseOptions(line_ending, hrefs, batch_limit, page_limit, paging_totals)
        plan = UsagePlan(window, limits, penalty, rate_headers, retry_after, html_429)
        lifetimes = TokenLifetimes(token_lifetime, REFRESH_LIFETIME if refresh_tokens else 0.0)
        gateway = gateway or GatewayPlan()
        self._state = SandboxState(extensions, seed, options, plan, lifetimes, gateway)
        self._clock, self._seed, self._address = clock, seed, (host, port)
        gateway_server = GatewayServer(gateway, self._state.feed)
        self._server = HttpServer(self._state, gateway_server, latency, clock)
        self._simulations: list[Simulation] = []
        self.gateway = GatewayControl(gateway_server)
        self.webhooks = WebhookControl(self._state.webhooks)
        self.faults = self._server.faults
        self.requests = self._server.requests

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
        """Run a sandbox in a thread with an event loop of its own, for code that has none.

        Use it as `with Sandbox.in_thread() as sandbox:`. All members of that sandbox are safe to
        use from any thread: properties and methods run in the sandbox's thread, and `requests`
        and other lists are copies. Methods that are coroutines elsewhere are called without
        `await`, and async context managers are used with a plain `with`.

        Args:
            extensions: the number of extensions.
            options: any other argument of Sandbox.

        Raises:
            UsageError: an argument has the wrong type or is out of range.
            OSError: the address or port is not available.
        """
        return run_in_thread(lambda: cls(extensions, **options))

    async def start(self) -> None:
        """Start to listen.

        Raises:
            UsageError: the sandbox is started already.
            OSError: the address or port is not available.
        """
        await self._server.start(*self._address)

    async def close(self) -> None:
        """Stop to listen and close all connections; a second call does nothing."""
        for simulation in self._simulations:
            simulation.stop()
        self._simulations.clear()
        await self._server.close()

    def simulate(self, rate: float = 1.0) -> Simulation:
        """Return a simulation that changes the account: calls, meetings, statuses.

        Use it as `async with sandbox.simulate(5):`, or call its `start` and `stop`. Closing the
        sandbox stops it as well. The same seed makes the same changes.

        Args:
            rate: changes per second, on average.

        Raises:
            UsageError: rate is not a positive number, or is over 1,000,000.
        """
        simulation = Simulation(self._state.account, self.feed, rate, self._seed)
        self._simulations.append(simulation)
        return simulation


def _check(
    extensions: object,
    seed: object,
    host: object,
    port: object,
    latency: object,
    refresh_tokens: object,
    gateway: object,
    clock: object,
) -> None:
    argument_checks.whole("extensions", extensions, 1, _MAX_EXTENSIONS)
    # random.Random also takes other types, of which some make another seed on every run.
    if type(seed) is not int:
        raise UsageError(f"seed must be a whole number, not {shown(seed)}")
    argument_checks.text("host", host)
    if not host:
        raise UsageError("host must be an address to listen on, such as 127.0.0.1")
    argument_checks.whole("port", port, 0, 65_535)
    argument_checks.seconds("latency", latency, zero=True)
    argument_checks.flag("refresh_tokens", refresh_tokens)
    if not isinstance(gateway, GatewayPlan | None):
        raise UsageError(f"gateway must be a GatewayPlan or None, not {shown(gateway)}")
    argument_checks.function("clock", clock)
