"""The sandbox as a server on loopback, and its remote control."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import attrs

from ..errors import UsageError
from ..grants import JwtGrant
from . import settings, telephone, views
from .account import Extension
from .ask import Options
from .counters import Counters
from .listener import Listener
from .quota import LIMITS, Plan
from .service import Service
from .sessions import ACCESS_LIFE, REFRESH_LIFE, Lives


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
        window: seconds in which a group's limit is counted; a short one makes a short minute.
        limits: requests per window, for the groups that are to differ from RingCentral's default
            plan: Light 50, Medium 40, Heavy 10, Auth 5.
        penalty: seconds that a group stays shut after each 429; None for a window's.
        rate_headers: whether answers have the X-Rate-Limit headers.
        retry_after: whether a 429 has Retry-After, in whole seconds, at least 1.
        html_429: whether the body of a 429 is HTML.
        token_lifetime: seconds that access tokens live when the request for one does not say.
        refresh_tokens: whether a login brings a refresh token.
        clock: tells the time in seconds, never less than before; a test may bring its own.

    Attributes:
        faults: what is to go wrong.
        requests: every request so far, in order of arrival.

    Raises:
        UsageError: fewer extensions than one, an unknown group, a limit below 1, or a time that
            makes no sense.
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if extensions < 1:
            raise UsageError("a sandbox needs at least one extension, the caller")
        options = Options(line_ending, hrefs, batch_limit, page_limit, paging_totals)
        plan = Plan(window, limits, penalty, rate_headers, retry_after, html_429)
        lives = Lives(token_lifetime, REFRESH_LIFE if refresh_tokens else 0.0)
        self._service = Service(extensions, seed, options, plan, lives)
        self._account = self._service.account
        self._listener = Listener(self._service, latency, clock)
        self._address = (host, port)
        self._clock = clock
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

    async def start(self) -> None:
        """Listen.

        Raises:
            UsageError: it does already.
            OSError: the address or port cannot be had.
        """
        await self._listener.start(*self._address)

    async def close(self) -> None:
        """Stop listening and end all connections, whatever hangs; a second time does nothing."""
        await self._listener.close()

    @property
    def url(self) -> str:
        """The server's address, for `PresenceSession(server=…)`.

        Raises:
            UsageError: the sandbox is not started.
        """
        return self._listener.url

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

    @property
    def counters(self) -> Counters:
        """What has been counted up to now; a copy, which stays as it is."""
        return attrs.evolve(self._service.counters)

    def consume(self, group: str, requests: int = 1) -> None:
        """Use up quota as somebody else would who shares it, such as another process.

        One more request than the limit starts the penalty, for everybody. The counters stay.

        Args:
            group: Light, Medium, Heavy or Auth.
            requests: how many arrive now.

        Raises:
            UsageError: there is no such group, or fewer requests than one.
        """
        if group not in LIMITS or requests < 1:
            raise UsageError(f"consume takes one of {', '.join(LIMITS)}, and 1 request or more")
        now = self._clock()
        for _ in range(requests):
            self._service.quota.charge(now, group)

    def new_code(self, redirect_uri: str, code_challenge: str | None = None) -> str:
        """Make an authorization code as the login page would, for one login.

        Args:
            redirect_uri: what the login has to name again.
            code_challenge: of PKCE, by S256; the login has to bring the verifier. None for a
                login without PKCE.
        """
        return self._service.authority.new_code(redirect_uri, code_challenge)

    def expire_tokens(self) -> None:
        """Let every access token given out so far be expired."""
        self._service.authority.sessions.expire_access()

    def expire_refresh_tokens(self) -> None:
        """Let every refresh token given out so far be expired."""
        self._service.authority.sessions.expire_refresh()

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
