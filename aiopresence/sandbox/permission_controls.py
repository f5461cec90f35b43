"""The sandbox's remote control over who may do what, and how often."""

from collections.abc import Callable

import attrs

from . import argument_checks
from .counters import Counters
from .rate_limits import LIMITS
from .router import Service


class Access:
    """The part of `Sandbox` that is about credentials, permissions and limits.

    Args:
        service: what they belong to.
        clock: tells the time in seconds.
    """

    def __init__(self, service: Service, clock: Callable[[], float]) -> None:
        self._service = service
        self._clock = clock

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
        argument_checks.one_of("group", group, LIMITS)
        argument_checks.whole("requests", requests, 1)
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
        argument_checks.text("redirect_uri", redirect_uri)
        argument_checks.text("code_challenge", code_challenge, none=True)
        return self._service.authority.new_code(redirect_uri, code_challenge)

    def expire_tokens(self) -> None:
        """Let every access token given out so far be expired."""
        self._service.authority.sessions.expire_access()

    def expire_refresh_tokens(self) -> None:
        """Let every refresh token given out so far be expired."""
        self._service.authority.sessions.expire_refresh()

    def forbid(self, permission: str) -> None:
        """Take a permission away, from now on; subscriptions that are there already stay.

        Args:
            permission: ReadPresence, EditPresence, ReadAccounts or WebSocketsSubscription.

        Raises:
            UsageError: there is no such permission.
        """
        self._service.permissions.forbid(permission)

    def permit(self, permission: str) -> None:
        """Give back a permission that `forbid` took away; UsageError when there is no such."""
        self._service.permissions.permit(permission)
