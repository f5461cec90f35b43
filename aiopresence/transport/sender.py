"""Send one request once: through the rate limiter, and with what its response shows recorded."""

from datetime import UTC, datetime
from typing import Any

from ..errors import ConnectionFailed, UsageError
from ..protocol.rate_limit_headers import read_date
from ..protocol.rest import Request, Response
from ..protocol.server_clock import ResponseTime
from .clock import Clock
from .http import HttpClient
from .instrumentation import Instrumentation
from .permit import Permit
from .request_queue import RequestQueue


class Sender:
    """Sends requests to one server, each once.

    Args:
        http: the connection pool.
        limiter: the rate limiter.
        clock: the source of time.
        instrumentation: reports each request.
        may_resend: whether aiohttp may send a read a second time when a kept-alive connection
            turns out to be dead.

    Attributes:
        last_response: when the last response was made; None before the first.
    """

    def __init__(
        self,
        http: HttpClient,
        limiter: RequestQueue,
        clock: Clock,
        instrumentation: Instrumentation,
        *,
        may_resend: bool,
    ) -> None:
        self.http = http
        self.limiter = limiter
        self.clock = clock
        self.instrumentation = instrumentation
        self._may_resend = may_resend
        self.last_response: ResponseTime | None = None

    async def transmit(
        self, request: Request[Any], authorization: str | None, permit: Permit
    ) -> Response:
        """Send a request that the rate limiter has let through, and end its permit.

        Args:
            request: the request.
            authorization: the Authorization header; None for the request's own.
            permit: the permit.

        Raises:
            TransportError: there is no complete response.
            DecodeError: the response is larger than its limit.
            UsageError: the session is closed.
        """
        may_resend = permit.reacquire if self._may_resend else _never
        exchange, sent_at = self.instrumentation.exchange(request), self._local_time()
        try:
            response = await self.http.send(request, authorization, may_resend, exchange)
        except BaseException as error:
            if _was_sent(error):
                permit.abandon()
            else:
                permit.release()
            exchange.finished(error=error)
            raise
        date = read_date(response.headers.get("date", ""))
        self.last_response = ResponseTime(date, sent_at, self._local_time())
        # The name of a group is in `session.limits`, and hooks are given the id of the request.
        shown = response.with_redacted_headers()
        permit.complete(shown)
        exchange.finished(shown)
        if shown.status == 429:
            self.limiter.report_429(request, shown)
        return response

    def _local_time(self) -> datetime:
        return datetime.fromtimestamp(self.clock.wall(), UTC)


def _was_sent(error: BaseException) -> bool:
    """Return whether a request may have reached the server in spite of an error."""
    if isinstance(error, ConnectionFailed):
        return error.sent
    return not isinstance(error, UsageError)


def _never() -> bool:
    return False
