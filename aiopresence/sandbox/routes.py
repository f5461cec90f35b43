"""The table of the sandbox's endpoints.

To add an endpoint, write its handler in `endpoints` and add a row to `_routes`.
"""

import re
from collections.abc import Callable, Mapping

import attrs

from . import endpoints
from .login_page import AUTHORIZE_PATH
from .request_context import RequestContext
from .responses import Response
from .state import SandboxState

TOKEN_PATH = "/restapi/oauth/token"  # noqa: S105 - a path, not a credential

_ACCOUNT = "/restapi/v1.0/account/{account_id}"
_EXTENSION = f"{_ACCOUNT}/extension/{{extension_ids}}"
_QUEUE = f"{_ACCOUNT}/call-queues/{{queue_id}}"
_SUBSCRIPTION = "/restapi/v1.0/subscription"

Handler = Callable[[RequestContext], Response]


@attrs.frozen
class Route:
    """One method of one path, and what answers it.

    Attributes:
        method: the HTTP method; GET answers HEAD as well.
        path: the path, with `{name}` for a parameter of one segment, and `/?` for a slash that
            may be left out.
        group: the usage-plan group that requests count in; "" for none.
        handler: returns the response, or raises RefusedError.
        permission: the permission that the caller needs; None for none.
        needs_token: whether a request without a valid bearer token is refused with 401.
    """

    method: str
    path: str
    group: str
    handler: Handler
    permission: str | None = None
    needs_token: bool = attrs.field(default=True, kw_only=True)


def _routes(state: SandboxState) -> tuple[Route, ...]:
    oauth, login_page, webhooks = state.oauth, state.login_page, state.webhooks
    sockets, read, edit = state.websocket_tokens, "ReadPresence", "EditPresence"
    presence, queues = f"{_EXTENSION}/presence", f"{_EXTENSION}/call-queue-presence"
    unified, queue = f"{_EXTENSION}/unified-presence", f"{_QUEUE}/presence"
    directory = f"{_ACCOUNT}/directory/entries"
    all_, one = f"{_SUBSCRIPTION}/?", f"{_SUBSCRIPTION}/{{subscription_id}}/?"
    return (
        Route("POST", TOKEN_PATH, "Auth", oauth.issue_token, needs_token=False),
        Route("POST", "/restapi/oauth/revoke", "", oauth.revoke_token, needs_token=False),
        Route("GET", AUTHORIZE_PATH, "", login_page.show, needs_token=False),
        Route("POST", AUTHORIZE_PATH, "", login_page.submit, needs_token=False),
        Route("POST", "/restapi/oauth/wstoken", "Auth", sockets.issue, "WebSocketsSubscription"),
        Route("GET", "/ws", "", sockets.accept, needs_token=False),
        Route("GET", presence, "Light", endpoints.read_presence, read),
        Route("PUT", presence, "Medium", endpoints.update_presence, edit),
        Route("GET", f"{_ACCOUNT}/presence", "Heavy", endpoints.read_account_presence, read),
        Route("GET", queue, "Light", endpoints.read_queue_presence, read),
        Route("PUT", queue, "Medium", endpoints.update_queue_presence, edit),
        Route("GET", queues, "Light", endpoints.read_own_queues, read),
        Route("PUT", queues, "Medium", endpoints.update_own_queues, edit),
        Route("GET", unified, "Medium", endpoints.read_unified, read),
        Route("PATCH", unified, "Medium", endpoints.update_unified, edit),
        Route("GET", f"{_ACCOUNT}/extension", "Medium", endpoints.list_extensions, "ReadAccounts"),
        Route("GET", directory, "Medium", endpoints.read_directory, "ReadAccounts"),
        Route("GET", _EXTENSION, "Light", endpoints.read_extension, "ReadAccounts"),
        Route("GET", all_, "Light", webhooks.list_all),
        Route("POST", all_, "Medium", webhooks.create),
        Route("GET", one, "Light", webhooks.read),
        Route("PUT", one, "Medium", webhooks.update),
        Route("DELETE", one, "Medium", webhooks.delete),
        Route("POST", f"{_SUBSCRIPTION}/{{subscription_id}}/renew/?", "Medium", webhooks.renew),
    )


@attrs.frozen
class Match:
    """The routes of a path, by method, and the values of its parameters, as on the wire."""

    routes: Mapping[str, Route]
    params: Mapping[str, str]


class RouteTable:
    """The routes of one sandbox, by path.

    Args:
        state: what the handlers read and change.
    """

    def __init__(self, state: SandboxState) -> None:
        self._paths: dict[re.Pattern[str], dict[str, Route]] = {}
        for route in _routes(state):
            self._paths.setdefault(_compiled(route.path), {})[route.method] = route

    def match(self, path: str) -> Match | None:
        """Return the routes of a path as on the wire, without the query; None without any."""
        for pattern, routes in self._paths.items():
            if found := pattern.fullmatch(path):
                return Match(routes, found.groupdict())
        return None


def _compiled(path: str) -> re.Pattern[str]:
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]*)", path.replace(".", r"\."))
    return re.compile(pattern)
