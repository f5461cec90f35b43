"""The methods of `Sandbox` about credentials, permissions and the usage plan."""

from collections.abc import Callable

import attrs

from ..grants import JwtGrant
from . import argument_checks
from .rate_limits import LIMITS, Counters
from .state import SandboxState


class AccessControls:
    """The methods of `Sandbox` about credentials, permissions and the usage plan."""

    _state: SandboxState
    _clock: Callable[[], float]

    @property
    def grant(self) -> JwtGrant:
        """The credentials to log in with, for `PresenceSession(sandbox.grant, …)`."""
        return self._state.oauth.grant

    @property
    def client_id(self) -> str:
        """The client id of the one app."""
        return self.grant.client_id

    @property
    def client_secret(self) -> str:
        """The client secret of the one app."""
        return self.grant.client_secret

    @property
    def jwt(self) -> str:
        """The JWT of the one user."""
        return self.grant.jwt

    @property
    def counters(self) -> Counters:
        """A copy of what has been counted so far."""
        return attrs.evolve(self._state.counters)

    def consume(self, group: str, requests: int = 1) -> None:
        """Count requests against a group, as if another process shared the quota.

        Requests beyond the limit start the penalty for all clients. `counters` does not change.

        Args:
            group: Light, Medium, Heavy or Auth.
            requests: how many requests, 1 or more.

        Raises:
            UsageError: the group or the number is not valid.
        """
        argument_checks.one_of("group", group, LIMITS)
        argument_checks.whole("requests", requests, 1)
        now = self._clock()
        for _ in range(requests):
            self._state.quota.charge(now, group)

    def new_code(self, redirect_uri: str, code_challenge: str | None = None) -> str:
        """Return a new authorization code, as the login page issues them, for one login.

        Args:
            redirect_uri: the redirect URI, which the login must repeat.
            code_challenge: the PKCE challenge (S256), whose verifier the login must send; None
                for a login without PKCE.

        Raises:
            UsageError: an argument is not text.
        """
        argument_checks.text("redirect_uri", redirect_uri)
        argument_checks.text("code_challenge", code_challenge, none=True)
        return self._state.oauth.new_code(redirect_uri, code_challenge)

    def expire_tokens(self) -> None:
        """Expire all access tokens issued so far."""
        self._state.oauth.logins.expire_access()

    def expire_refresh_tokens(self) -> None:
        """Expire all refresh tokens issued so far."""
        self._state.oauth.logins.expire_refresh()

    def forbid(self, permission: str) -> None:
        """Revoke a permission from now on; existing subscriptions stay.

        Args:
            permission: ReadPresence, EditPresence, ReadAccounts or WebSocketsSubscription.

        Raises:
            UsageError: there is no such permission.
        """
        self._state.permissions.forbid(permission)

    def permit(self, permission: str) -> None:
        """Grant a permission again after `forbid`; UsageError if there is no such permission."""
        self._state.permissions.permit(permission)
