"""A good access token for every request, asked for once for all tasks."""

import asyncio

from ..grants import AccessToken, JwtGrant
from ..protocol import oauth
from .clock import Clock
from .http import Http


class Tokens:
    """The token of a session.

    Args:
        grant: what to log in with.
        http: the way to the token endpoint.
        clock: tells when a token is due for renewal.
    """

    def __init__(self, grant: AccessToken | JwtGrant, http: Http, clock: Clock) -> None:
        self._grant = grant
        self._http = http
        self._clock = clock
        self._token: oauth.Token | None = None
        # Held over a token request, so that tasks which come meanwhile wait for its result.
        self._lock = asyncio.Lock()

    async def access_token(self) -> str:
        """Give a token that is good for at least the next request.

        Raises:
            AuthError: the credentials are refused.
            PresenceError: as `Http.send`, or the token endpoint fails; the next call tries again.
        """
        if isinstance(self._grant, AccessToken):
            return self._grant.access_token
        async with self._lock:
            if self._token is None or self._clock.now() >= self._token.due_at:
                self._token = await self._log_in(self._grant)
            return self._token.access_token

    async def _log_in(self, grant: JwtGrant) -> oauth.Token:
        asked_at = self._clock.now()
        response = await self._http.send(oauth.token_request(grant))
        if response.status != 200:
            raise oauth.token_refusal(response)
        return oauth.read_token(response, asked_at)
