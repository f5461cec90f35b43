"""The table of endpoints."""

import pytest

from aiopresence.sandbox import Sandbox
from aiopresence.sandbox.permissions import ALL
from aiopresence.sandbox.rate_limits import LIMITS
from aiopresence.sandbox.routes import RouteTable, _routes

ACCOUNT = "/restapi/v1.0/account/~"


def test_every_route_has_a_known_group_and_permission() -> None:
    routes = _routes(Sandbox(1)._state)
    assert {route.group for route in routes} <= {*LIMITS, ""}
    assert {route.permission for route in routes} <= {*ALL, None}
    assert len({(route.method, route.path) for route in routes}) == len(routes)


def test_only_oauth_and_the_websocket_handshake_need_no_bearer_token() -> None:
    routes = _routes(Sandbox(1)._state)
    public = {route.path for route in routes if not route.needs_token}
    oauth = {f"/restapi/oauth/{name}" for name in ("token", "revoke", "authorize")}
    assert public == {*oauth, "/ws"}


@pytest.mark.parametrize(
    ("path", "methods", "params"),
    [
        (f"{ACCOUNT}/presence", "GET", {}),
        (f"{ACCOUNT}/extension", "GET", {}),
        (f"{ACCOUNT}/extension/1,2/presence", "GET PUT", {"extension_ids": "1,2"}),
        (f"{ACCOUNT}/extension/1/unified-presence", "GET PATCH", {"extension_ids": "1"}),
        (f"{ACCOUNT}/call-queues/7/presence", "GET PUT", {"queue_id": "7"}),
        ("/restapi/v1.0/subscription", "GET POST", {}),
        ("/restapi/v1.0/subscription/", "GET POST", {}),
        ("/restapi/v1.0/subscription/a-1", "GET PUT DELETE", {"subscription_id": "a-1"}),
        ("/restapi/v1.0/subscription/a-1/renew", "POST", {"subscription_id": "a-1"}),
        ("/restapi/oauth/token", "POST", {}),
    ],
)
def test_a_path_has_methods_and_parameters(path: str, methods: str, params: dict[str, str]) -> None:
    match = RouteTable(Sandbox(1)._state).match(path)
    assert match is not None
    assert " ".join(match.routes) == methods
    assert {name: value for name, value in match.params.items() if name != "account_id"} == params


@pytest.mark.parametrize(
    "path",
    [
        "/",
        f"{ACCOUNT}/presence/",
        f"{ACCOUNT}/extension/1/2/presence",
        "/restapi/v1x0/subscription",
    ],
)
def test_other_paths_have_none(path: str) -> None:
    assert RouteTable(Sandbox(1)._state).match(path) is None
