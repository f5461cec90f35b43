"""Which path and method is which call, and in which usage-plan group it counts."""

import re
from collections.abc import Callable, Mapping

import attrs

from . import directory, endpoints, whoami
from .request_context import Ask
from .responses import Reply

TOKEN_PATH = "/restapi/oauth/token"  # noqa: S105 - a path, not a credential
REVOKE_PATH = "/restapi/oauth/revoke"
WSTOKEN_PATH = "/restapi/oauth/wstoken"
WS_PATH = "/ws"

Call = Callable[[Ask], Reply]


@attrs.frozen
class Route:
    """One path: for each method that it takes, the group and the call; and who may read it."""

    pattern: re.Pattern[str]
    methods: Mapping[str, tuple[str, Call]]
    reading: str


def _route(
    tail: str, methods: Mapping[str, tuple[str, Call]], reading: str = "ReadPresence"
) -> Route:
    pattern = re.compile(rf"/restapi/v1\.0/account/(?P<account>[^/]*)/{tail}")
    return Route(pattern, methods, reading)


_ROUTES = (
    _route(
        "extension/(?P<ids>[^/]*)/presence",
        {"GET": ("Light", endpoints.read_presence), "PUT": ("Medium", endpoints.update_presence)},
    ),
    _route("presence", {"GET": ("Heavy", endpoints.read_account_presence)}),
    _route(
        "call-queues/(?P<queue>[^/]*)/presence",
        {
            "GET": ("Light", endpoints.read_queue_presence),
            "PUT": ("Medium", endpoints.update_queue_presence),
        },
    ),
    _route(
        "extension/(?P<ids>[^/]*)/call-queue-presence",
        {
            "GET": ("Light", endpoints.read_own_queues),
            "PUT": ("Medium", endpoints.update_own_queues),
        },
    ),
    _route(
        "extension/(?P<ids>[^/]*)/unified-presence",
        {"GET": ("Medium", endpoints.read_unified), "PATCH": ("Medium", endpoints.update_unified)},
    ),
    _route("extension", {"GET": ("Medium", directory.read_extensions)}, "ReadAccounts"),
    _route("extension/(?P<ids>[^/]*)", {"GET": ("Light", whoami.read_extension)}, "ReadAccounts"),
)


@attrs.frozen
class Found:
    """What a path means.

    Attributes:
        methods: as in Route.
        account_id: the account id in the path.
        ids: the extension ids in the path, as written, or None where it has none.
        target: the extension ids or the queue id, as written.
        reading: the permission that a GET needs.
    """

    methods: Mapping[str, tuple[str, Call]]
    account_id: str
    ids: str | None
    target: str
    reading: str


def find(path: str) -> Found | None:
    """Find the calls of a raw path; None when there are none."""
    for route in _ROUTES:
        if match := route.pattern.fullmatch(path):
            parts = match.groupdict()
            ids = parts.get("ids")
            target = ids or parts.get("queue") or ""
            return Found(route.methods, parts["account"], ids, target, route.reading)
    return None
