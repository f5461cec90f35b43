"""Repeat failed requests of one session: within its attempts, its budget and its `max_wait`.

Which errors are worth it, and after which delay, is decided in `protocol/retry.py`.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import attrs

from ..errors import PresenceError, RateLimited
from ..protocol import retry
from ..protocol.batch import MAX_IDS
from ..protocol.rest import Request, Response
from .clock import Clock, chance
from .instrumentation import Instrumentation
from .request_queue import RequestQueue


class Retrier:
    """Repeats the requests of one session.

    Args:
        attempts: how often a request may be sent at most, the first time included.
        limiter: the rate limiter: its `max_wait` bounds each delay, and closing it ends them.
        clock: the source of time.
        instrumentation: counts, logs and reports retries and their delays.
    """

    def __init__(
        self,
        attempts: int,
        limiter: RequestQueue,
        clock: Clock,
        instrumentation: Instrumentation,
    ) -> None:
        self.attempts = attempts
        self._limiter = limiter
        self._clock = clock
        self._instrumentation = instrumentation
        self._budget = retry.RetryBudget()

    def count_call(self) -> None:
        """Count a call of the user, which adds to the budget for retries."""
        self._budget.earn()

    async def with_retries(
        self, request: Request[Any], send: Callable[[Request[Any]], Awaitable[Response]]
    ) -> Response:
        """Send a request until it succeeds or another attempt is not worth it.

        Raises:
            PresenceError: the error of the last attempt.
        """
        while True:
            try:
                return await send(request)
            except PresenceError as error:
                delay = self._delay(
                    error, request.attempt, write=request.is_write, login=request.is_login
                )
                if delay is None or not self._budget.spend(_cost([error])):
                    raise
                request = attrs.evolve(request, attempt=request.attempt + 1)
                self._instrumentation.retry_scheduled(request.attempt, delay, error, request)
            await self._wait(delay)

    async def wait_to_retry(self, errors: Mapping[str, PresenceError], attempt: int) -> list[str]:
        """Wait until ids whose part of a batch response failed may be requested again.

        Args:
            errors: the error of each failed id.
            attempt: how often these ids were requested.

        Returns:
            The ids to request again; empty when it is not worth it.
        """
        delays = {id_: self._delay(error, attempt) for id_, error in errors.items()}
        ids = [id_ for id_, delay in delays.items() if delay is not None]
        if not self._budget.spend(-(-_cost(errors[id_] for id_ in ids) // MAX_IDS)):
            ids = [id_ for id_ in ids if not _cost([errors[id_]])]
        if ids:
            delay = max(delays[id_] or 0.0 for id_ in ids)
            error = errors[ids[0]]
            self._instrumentation.retry_scheduled(attempt + 1, delay, error, ids=len(ids))
            await self._wait(delay)
        return ids

    def _delay(
        self, error: PresenceError, attempt: int, *, write: bool = False, login: bool = False
    ) -> float | None:
        """Return the seconds before the next attempt; None when there is to be none."""
        if attempt >= self.attempts:
            return None
        delay = retry.retry_delay(error, attempt, write=write, login=login, chance=chance())
        longest = retry.LONGEST_WAIT if self._limiter.max_wait is None else self._limiter.max_wait
        return None if delay is not None and delay > longest else delay

    async def _wait(self, seconds: float) -> None:
        """Wait before a retry; until the session is closed at most."""
        began = self._clock.now()
        try:
            await self._clock.wait(self._limiter.closed, seconds)
        finally:
            if seconds > 0:
                self._instrumentation.wait_ended("retry", self._clock.now() - began)


def _cost(errors: Iterable[PresenceError]) -> int:
    """Return how many of the errors need the budget: waiting for a rate limit is free."""
    return sum(not isinstance(error, RateLimited) for error in errors)
