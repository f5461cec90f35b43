"""The package's sandbox and the independent server, with one set of controls for both."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from aiopresence import JwtGrant
from aiopresence.sandbox import Answer, Delay, GatewayPlan, Reset, Sandbox, Truncate
from tests.support.independent import IndependentServer
from tests.support.sessions import PLENTY

FaultKind = Literal[
    "reset", "lost_reply", "truncate", "slow", "500", "502", "503", "504", "401", "429"
]
FAULT_KINDS: tuple[FaultKind, ...] = FaultKind.__args__  # type: ignore[attr-defined]
ServerKind = Literal["sandbox", "independent"]
SERVER_KINDS: tuple[ServerKind, ...] = ("sandbox", "independent")


class LedgerEntry(Protocol):
    """A request that a server has seen; `arrival` is in seconds of its clock."""

    @property
    def arrival(self) -> float: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def status(self) -> int | None: ...


class AnyServer(ABC):
    """A server on loopback. Use it as an async context manager."""

    real: Any
    """The server itself, for what only one of the two has."""

    async def __aenter__(self) -> "AnyServer":
        await self.real.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.real.close()

    @property
    def url(self) -> str:
        return str(self.real.url)

    @property
    def grant(self) -> JwtGrant:
        return JwtGrant(self.real.client_id, self.real.client_secret, self.real.jwt)

    @property
    def public_client_id(self) -> str:
        """A client that has no secret and logs in with PKCE."""
        return str(self.real.client_id)

    @property
    def extension_ids(self) -> list[str]:
        return list(self.real.extension_ids)

    @property
    def user_ids(self) -> list[str]:
        return list(self.real.user_ids)

    @property
    def queue_ids(self) -> list[str]:
        return list(self.real.queue_ids)

    @property
    def requests(self) -> Sequence[LedgerEntry]:
        return list(self.real.requests)

    def count(self, path: str, *, method: str = "") -> int:
        """Return how many requests had this text in their path."""
        return sum(
            path in each.path and each.method in {method or each.method} for each in self.requests
        )

    def presence(self, extension_id: str) -> dict[str, Any]:
        """Return the true record of an extension under RingCentral's names."""
        return dict(self.real.presence(extension_id))

    def set_presence(self, extension_id: str, **fields: Any) -> None:
        self.real.set_presence(extension_id, **fields)

    def expire_tokens(self) -> None:
        self.real.expire_tokens()

    async def webhooks_delivered(self) -> None:
        """Wait until every notification for a webhook was delivered."""
        await self.real.webhooks.delivered()

    @abstractmethod
    def new_code(self, redirect_uri: str, challenge: str) -> str:
        """Return an authorization code of the public client."""

    @property
    @abstractmethod
    def logins(self) -> int:
        """How many logins there were, without refreshes."""

    @property
    @abstractmethod
    def refreshes(self) -> int:
        """How many refresh tokens were accepted."""

    @property
    @abstractmethod
    def rate_limited(self) -> int:
        """How many requests were over a limit; those that a fault refused do not count."""

    @property
    @abstractmethod
    def violations(self) -> list[str]:
        """What a client did that RingCentral does not expect."""

    @abstractmethod
    def fail(self, kind: FaultKind, path: str = "", times: int = 1) -> Callable[[], int]:
        """Let the next requests with this text in their path fail.

        Returns a function that returns how many have failed.
        """

    @abstractmethod
    def drop(self) -> None:
        """Reset all WebSockets."""

    @abstractmethod
    def fail_recovery(self) -> None:
        """Forget the session that the next reconnection wants to continue."""

    @abstractmethod
    def forbid(self, permission: str) -> None:
        """Take a permission away from now on."""

    @abstractmethod
    def blacklist_webhooks(self) -> None:
        """Blacklist all webhooks."""

    @abstractmethod
    def repeat_webhook(self) -> None:
        """Deliver the next notification twice."""


class SandboxServer(AnyServer):
    """The sandbox of the package."""

    def __init__(self, users: int, **options: Any) -> None:
        options.setdefault("gateway", GatewayPlan(replay_delay=0.0))
        self.real: Sandbox = Sandbox(users, **options)

    def new_code(self, redirect_uri: str, challenge: str) -> str:
        return self.real.new_code(redirect_uri, challenge)

    @property
    def logins(self) -> int:
        return self.real.counters.logins

    @property
    def refreshes(self) -> int:
        return self.real.counters.refreshes

    @property
    def rate_limited(self) -> int:
        return self.real.counters.rate_limited

    @property
    def violations(self) -> list[str]:
        return ["a frame came too early"] * self.real.gateway.violations

    def fail(self, kind: FaultKind, path: str = "", times: int = 1) -> Callable[[], int]:
        rule = self.real.faults.add(_sandbox_fault(kind), path=path, times=times)
        return lambda: rule.fired

    def drop(self) -> None:
        self.real.gateway.cut()

    def fail_recovery(self) -> None:
        self.real.gateway.fail_recovery()

    def forbid(self, permission: str) -> None:
        self.real.forbid(permission)

    def blacklist_webhooks(self) -> None:
        for each in self.real.webhooks.subscriptions:
            self.real.webhooks.blacklist(each.id)

    def repeat_webhook(self) -> None:
        self.real.webhooks.duplicate()


class IndependentAdapter(AnyServer):
    """The independent server."""

    def __init__(self, users: int, **options: Any) -> None:
        self.real: IndependentServer = IndependentServer(users, **options)

    @property
    def public_client_id(self) -> str:
        return self.real.oauth.public_client_id

    def new_code(self, redirect_uri: str, challenge: str) -> str:
        oauth = self.real.oauth
        return oauth.new_code(redirect_uri, challenge, oauth.public_client_id)

    @property
    def logins(self) -> int:
        return self.real.oauth.logins

    @property
    def refreshes(self) -> int:
        return self.real.oauth.refreshes

    @property
    def rate_limited(self) -> int:
        return sum(self.real.quotas.over.values())

    @property
    def violations(self) -> list[str]:
        return self.real.violations

    def fail(self, kind: FaultKind, path: str = "", times: int = 1) -> Callable[[], int]:
        retry_after = "1" if kind in {"429", "503"} else None
        fault = self.real.fail_next(kind, path, times, retry_after=retry_after)
        return lambda: fault.fired

    def drop(self) -> None:
        self.real.drop_connections()

    def fail_recovery(self) -> None:
        self.real.gateway.fail_recoveries += 1

    def forbid(self, permission: str) -> None:
        self.real.permissions.discard(permission)

    def blacklist_webhooks(self) -> None:
        for each in self.real.subscriptions.by_id.values():
            each.status = "Blacklisted"

    def repeat_webhook(self) -> None:
        self.real.webhooks.lose_replies += 1


def make_server(kind: ServerKind, users: int = 100, **options: Any) -> AnyServer:
    """Return a server, whose limits no test reaches by chance unless it says otherwise."""
    options["limits"] = {**PLENTY, **options.get("limits", {})}
    if kind == "sandbox":
        return SandboxServer(users, **options)
    return IndependentAdapter(users, **options)


def most_in_a_window(requests: Sequence[LedgerEntry], group: str, window: float) -> int:
    """Return how many requests of a group arrived within one window at most."""
    arrivals = [each.arrival for each in requests if each.group == group]
    return max(
        (sum(start <= each < start + window for each in arrivals) for start in arrivals), default=0
    )


def _sandbox_fault(kind: FaultKind) -> Any:
    if kind in {"reset", "lost_reply"}:
        return Reset(after_handling=kind == "lost_reply")
    if kind == "truncate":
        return Truncate(10)
    if kind == "slow":
        return Delay(0.05)
    if kind == "401":
        return Answer.error(401, "OAU-128")
    headers = {"Retry-After": "1"} if kind in {"429", "503"} else {}
    return Answer(int(kind), headers=headers, bare=True)
