"""From a request to its response: usage plan, route, token, account, permission, handler."""

import re
import uuid
from email.utils import format_datetime
from urllib.parse import parse_qsl

from .clock import utc_now
from .exchange import Received
from .rate_limits import QuotaState
from .request_context import RequestContext
from .responses import DeferredResponse, RefusedError, Response, bad, json_response, missing
from .routes import TOKEN_PATH, Match, Route, RouteTable
from .state import SandboxState


class Router:
    """Answers the requests of one sandbox.

    Args:
        state: what they read and change.
    """

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._table = RouteTable(state)

    def classify(self, received: Received) -> None:
        """Set the usage-plan group and the extension ids of a request that has arrived."""
        if match := self._table.match(received.path):
            ids = match.params.get("extension_ids")
            received.ids = tuple(ids.split(",")) if ids else ()
            route = match.routes.get(received.verb)
            received.group = route.group if route else ""

    def charge(self, received: Received) -> QuotaState | None:
        """Count a request against its usage-plan group; None if it counts in none.

        RingCentral counts per user and app, of which the sandbox has one each, so a new token
        has no quota of its own. That requests without a valid token do not count is a guess;
        those to the token endpoint always count.
        """
        to_token_endpoint = received.path == TOKEN_PATH
        self._state.counters.token_requests += to_token_endpoint
        if not received.group or not (to_token_endpoint or self._has_token(received)):
            return None
        quota_state = self._state.quota.charge(received.arrival, received.group)
        self._state.counters.in_penalty += quota_state.in_penalty
        return quota_state

    def answer(
        self,
        received: Received,
        quota_state: QuotaState | None,
        unreadable: RefusedError | None = None,
    ) -> Response:
        """Handle a request, so that it takes effect, and return the response.

        Args:
            received: the request.
            quota_state: what `charge` returned. A request that is refused has no effect.
            unreadable: why its body could not be read, or None.
        """
        if quota_state is not None and quota_state.refused:
            self._state.counters.rate_limited += 1
            return self._state.quota.plan.refusal()
        try:
            if unreadable is not None:
                raise unreadable
            return self._dispatch(received)
        except RefusedError as error:
            return _refusal(error)

    async def finish(self, response: Response, quota_state: QuotaState | None) -> Response:
        """Wait for a deferred response; return any other unchanged."""
        if not isinstance(response, DeferredResponse):
            return response
        try:
            finished = await response.finish()
        except RefusedError as error:
            finished = _refusal(error)
        self.add_standard_headers(finished, quota_state)
        return finished

    def add_standard_headers(self, response: Response, quota_state: QuotaState | None) -> None:
        """Add date, request id and rate limit headers, unless the response has them already."""
        # aiohttp would add the date of the system, which is not that of the events in virtual time.
        date = format_datetime(utc_now(), usegmt=True)
        request_id = str(uuid.UUID(int=self._state.ids.getrandbits(128), version=4))
        rates = self._state.quota.plan.headers(quota_state) if quota_state else {}
        for name, value in {"Date": date, "RCRequestId": request_id, **rates}.items():
            response.headers.setdefault(name, value)

    def _has_token(self, received: Received) -> bool:
        try:
            self._state.oauth.logins.check(received.token, received.arrival)
        except RefusedError:
            return False
        return True

    def _dispatch(self, received: Received) -> Response:
        match = self._table.match(received.path)
        if match is None:
            raise RefusedError(404, "CMN-102", "There is no such resource.")
        route = match.routes.get(received.verb)
        if route is None:
            return Response(405, headers={"Allow": ", ".join(match.routes)})
        self._authorize(received, route, match)
        return route.handler(self._context(received, match))

    def _authorize(self, received: Received, route: Route, match: Match) -> None:
        """Check token, account and permission, in this order; RefusedError if one is not fine."""
        if route.needs_token:
            self._state.oauth.logins.check(received.token, received.arrival)
        account_id = match.params.get("account_id", "~")
        if not re.fullmatch("~|[0-9]+", account_id):
            raise bad("accountId")
        if account_id not in ("~", self._state.account.id):
            raise missing("accountId")
        if route.permission is not None:
            self._state.permissions.check(route.permission)

    def _context(self, received: Received, match: Match) -> RequestContext:
        state = self._state
        return RequestContext(
            received=received,
            params=match.params,
            query=dict(parse_qsl(received.query, keep_blank_values=True)),
            account=state.account,
            feed=state.feed,
            options=state.options,
            base=state.url,
            new_boundary=state.new_boundary,
        )


def _refusal(error: RefusedError) -> Response:
    response = json_response(error.body, error.status)
    if error.status == 401:
        challenge = 'Bearer realm="RingCentral REST API", error="invalid_token"'
        response.headers["WWW-Authenticate"] = challenge
    return response
