"""An access token that the user gave: it is sent until the server rejects it, and never renewed."""

import copy

from ..errors import ApiError, AuthError
from ..protocol.login_hold import auth_error
from .login import LoginSender


class FixedToken:
    """The token of an AccessToken grant, with the interface of `TokenManager`.

    Args:
        access_token: the token.
    """

    is_renewable = False

    def __init__(self, access_token: str) -> None:
        self._access_token = access_token
        # Why it is not sent any more; None while it is.
        self._error: AuthError | None = None

    async def get(self, _: LoginSender) -> str:
        """Return the token; raise AuthError when it was rejected or revoked."""
        if self._error is not None:
            raise copy.copy(self._error)
        return self._access_token

    def is_latest(self, _: str, *, due: bool) -> bool:
        """Return whether the token may be sent."""
        del due  # It is not known.
        return self._error is None

    def reject(self, _: str, error: ApiError) -> bool:
        """Record that the server rejected the token; return False: there can be no other."""
        self._error = auth_error(error, final=True)
        return False

    async def forget(self) -> str:
        """Send the token no more, and return it to be revoked."""
        self._error = auth_error(AuthError(401, message="the access token was revoked"), final=True)
        return self._access_token

    async def close(self, _: LoginSender) -> None:
        """Do nothing: there are no logins."""
