"""Which call a method and a path stand for, with its usage-plan group and permission."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.independent.http_wire import Response
from tests.support.independent.presence_calls import Call, PresenceCalls

Handler = Callable[[PresenceCalls, Call], Response]
_ACCOUNT = r"/restapi/v1\.0/account/(?P<account>[^/]+)"
_ONE = _ACCOUNT + r"/extension/(?P<ids>[^/]+)"
_DETAILS = frozenset({"detailedTelephonyState", "sipData"})
_PAGES = frozenset({"page", "perPage"})
_DIRECTORY = _PAGES | {"showFederated", "type", "typeGroup", "siteId"}


@dataclass(frozen=True)
class Route:
    """One call. `query` has the names of the parameters that it knows."""

    method: str
    path: str
    group: str
    permission: str
    handler: Handler
    query: frozenset[str] = frozenset()


_CALLS = PresenceCalls
_READ, _EDIT, _ACCOUNTS = "ReadPresence", "EditPresence", "ReadAccounts"
_QUEUE = _ACCOUNT + r"/call-queues/(?P<queue>[^/]+)/presence"
ROUTES = (
    Route("GET", _ONE + "/presence", "Light", _READ, _CALLS.read_presence, _DETAILS),
    Route("PUT", _ONE + "/presence", "Medium", _EDIT, _CALLS.update_presence),
    Route("GET", _ACCOUNT + "/presence", "Heavy", _READ, _CALLS.read_account, _DETAILS | _PAGES),
    Route("GET", _QUEUE, "Light", _READ, _CALLS.read_queue),
    Route("PUT", _QUEUE, "Medium", _EDIT, _CALLS.update_queue),
    Route(
        "GET",
        _ONE + "/call-queue-presence",
        "Light",
        _READ,
        _CALLS.read_member,
        frozenset({"editableMemberStatus"}),
    ),
    Route("PUT", _ONE + "/call-queue-presence", "Medium", _EDIT, _CALLS.update_member),
    Route("GET", _ONE + "/unified-presence", "Medium", _READ, _CALLS.read_unified),
    Route("PATCH", _ONE + "/unified-presence", "Medium", _EDIT, _CALLS.update_unified),
    Route(
        "GET",
        _ACCOUNT + "/directory/entries",
        "Medium",
        _ACCOUNTS,
        _CALLS.read_directory,
        _DIRECTORY,
    ),
    Route(
        "GET",
        _ACCOUNT + "/extension",
        "Medium",
        _ACCOUNTS,
        _CALLS.read_extensions,
        _PAGES | {"type", "status"},
    ),
    Route("GET", _ONE, "Light", _ACCOUNTS, _CALLS.read_extension),
)


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a request and the names in its path, or None."""
    for route in ROUTES:
        match = re.fullmatch(route.path, path)
        if match is not None and route.method == method:
            return route, match.groupdict()
    return None
