"""Request WebSocket tokens, or reuse the last one: see `protocol.websocket_token`."""

import logging

from ..errors import PresenceError
from ..protocol import websocket_token
from ..protocol.retry import is_permanent
from ..protocol.websocket_token import WSTOKEN, TokenPolicy, WsToken
from .clock import Clock
from .instrumentation import Instrumentation
from .requester import Requester

_log = logging.getLogger("aiopresence")

RATE_LIMITED = "rate limit of group Auth"


class WebSocketTokens:
    """The WebSocket tokens of an event session.

    Each is requested once: a failure is part of the backoff between connections, and retries of
    its own would only add to it.

    Args:
        requester: requests them.
        clock: the source of time.
        instrumentation: logs long waits.

    Attributes:
        policy: decides which token a connection gets; the caller reports to it whether that was
            accepted.
    """

    def __init__(
        self, requester: Requester, clock: Clock, instrumentation: Instrumentation
    ) -> None:
        self.policy = TokenPolicy()
        self._requester = requester
        self._clock = clock
        self._instrumentation = instrumentation

    async def next_token(self) -> WsToken:
        """Return the token for the next connection.

        Raises:
            PresenceError: there is no new one, and none to reuse.
        """
        now, forecast = self._clock.now(), self._requester.forecast
        last = self.policy.reusable(now)
        if last is None:
            return await self._new_token()
        if self.policy.prefers_reuse(now, forecast(WSTOKEN), forecast(WSTOKEN, behind=1)):
            _log.info("reusing the WebSocket token: %s", RATE_LIMITED)
        else:
            try:
                return await self._new_token()
            except PresenceError as error:
                if is_permanent(error):
                    raise
                _log.warning("reusing the WebSocket token, because there is no new one: %s", error)
        self.policy.is_reused = True
        return last

    async def _new_token(self) -> WsToken:
        if self.policy.needs_access_token:
            await self._requester.renew_token()
            self.policy.access_token_replaced()
        self._instrumentation.reconnect_delayed(self._requester.forecast(WSTOKEN), RATE_LIMITED)
        response = await self._requester.send(WSTOKEN, once=True)
        token = websocket_token.parse(response, self._requester.server, self._clock.now())
        self.policy.issued(token)
        return token
