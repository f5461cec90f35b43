"""From a request to a response: tokens, rate limits, permissions, then the call itself."""

import uuid
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.support.independent.account import Json
from tests.support.independent.errors import (
    ApiFailure,
    OAuthFailure,
    error_body,
    failure_response,
    not_found,
    not_permitted,
)
from tests.support.independent.gateway import Gateway, GatewaySession
from tests.support.independent.http_wire import Request, Response, json_response
from tests.support.independent.oauth import OAuth
from tests.support.independent.presence_calls import Call, PresenceCalls
from tests.support.independent.quotas import Quotas
from tests.support.independent.routes import Route, find_route
from tests.support.independent.subscription_calls import SubscriptionCalls
from tests.support.independent.updates import parse_body

OAUTH, API = "/restapi/oauth/", "/restapi/v1.0/"
FORM = "application/x-www-form-urlencoded"


@dataclass
class Arrival:
    """One request in the ledger. Status 0 means that no response was sent."""

    arrival: float
    method: str
    path: str
    group: str = ""
    token: str = ""
    status: int = 0
    fault: str = ""
    """The kind of the fault that was injected."""
    over_limit: bool = False
    """True if it was refused because of a rate limit."""


@dataclass
class Dispatcher:
    """Answers requests. `permissions` belong to the app; faults are none of its business."""

    oauth: OAuth
    quotas: Quotas
    calls: PresenceCalls
    subscription_calls: SubscriptionCalls
    gateway: Gateway
    permissions: set[str]
    violations: list[str]
    requests: list[Arrival]
    url: str = ""

    def admit(self, request: Request, entry: Arrival) -> Response | None:
        """Check token and rate limit; return a response if the request is refused."""
        try:
            owner = self._owner(request, entry)
        except (ApiFailure, OAuthFailure) as failure:
            return failure_response(failure)
        if not entry.group or self.quotas.take(owner, entry.group):
            return None
        entry.over_limit = True
        response = json_response(429, error_body("CMN-301", "Request rate exceeded"))
        response.headers.append(("Retry-After", self.quotas.retry_after))
        response.headers += self.quotas.headers_of(owner, entry.group)
        return response

    async def respond(self, request: Request, entry: Arrival) -> Response:
        """Return the response to a request that was admitted."""
        try:
            response = await self._answer(request)
        except (ApiFailure, OAuthFailure) as failure:
            response = failure_response(failure)
        if entry.group:
            response.headers += self.quotas.headers_of(self.oauth.client_id, entry.group)
        return response

    async def in_websocket(
        self, method: str, path: str, body: Json, session: GatewaySession
    ) -> tuple[int, Json]:
        """Answer a ClientRequest, which counts like a request by HTTP."""
        entry = Arrival(self.oauth.clock(), method, path, "Medium", "WebSocket")
        self.requests.append(entry)
        if not self.quotas.take(session.client_id, entry.group):
            entry.status, entry.over_limit = 429, True
            return 429, error_body("CMN-301", "Request rate exceeded")
        try:
            entry.status, answer = await self.subscription_calls.answer(
                method, path, body, session, self.gateway
            )
        except ApiFailure as failure:
            entry.status, answer = failure.status, failure.body
        return entry.status, answer

    def _owner(self, request: Request, entry: Arrival) -> str:
        """Return whose quota a request uses, and note its group and token in the ledger."""
        path = request.path
        if path.startswith(OAUTH):
            entry.group = "" if path.endswith("/authorize") else "Auth"
            if path.endswith("/wstoken"):
                return self._bearer(request, entry)
            return self.oauth.client_id
        entry.group = self._group(request)
        return self._bearer(request, entry)

    def _group(self, request: Request) -> str:
        if request.path.startswith(API + "subscription"):
            return "Light" if request.method == "GET" else "Medium"
        found = find_route(request.method, request.path)
        return found[0].group if found else ""

    def _bearer(self, request: Request, entry: Arrival) -> str:
        scheme, _, token = (request.header("Authorization") or "").partition(" ")
        entry.token = token
        if scheme != "Bearer" or not token:
            self.violations.append(f"no bearer token: {request.method} {request.path}")
            raise ApiFailure("OAU-149", "Authorization header is missing")
        return self.oauth.session_of(token).client_id

    async def _answer(self, request: Request) -> Response:
        if request.path.startswith(OAUTH):
            return self._oauth(request, request.path.removeprefix(OAUTH))
        if request.path.startswith(API + "subscription"):
            body = parse_body(request.body, request.content_type)
            status, answer = await self.subscription_calls.answer(
                request.method, request.path, body, None, self.gateway
            )
            return Response(204) if status == 204 else json_response(status, answer)
        found = find_route(request.method, request.path)
        if found is None:
            self.violations.append(f"no such call: {request.method} {request.path}")
            raise not_found("path")
        return self._call(request, *found)

    def _call(self, request: Request, route: Route, names: dict[str, str]) -> Response:
        account = names["account"]
        if "%" in account or not self.calls.account.is_own(account):
            raise not_found("accountId")
        unknown = {name for name, _ in request.query} - route.query
        if unknown:
            self.violations.append(f"unknown query parameters {unknown}: {request.target}")
        if request.method in {"PUT", "PATCH"} and request.body:
            self._expect_type(request, "application/json")
        if request.method == "GET" and request.body:
            self.violations.append(f"a body in a GET: {request.target}")
        if route.permission not in self.permissions:
            raise not_permitted(route.permission)
        return route.handler(self.calls, Call(request, names, dict(request.query)))

    def _oauth(self, request: Request, name: str) -> Response:
        if name == "authorize" and request.method == "GET":
            return self._login_page(request)
        if request.method != "POST" or name not in {"token", "revoke", "wstoken"}:
            self.violations.append(f"no such call: {request.method} {request.path}")
            raise not_found("path")
        if name == "wstoken":
            return self._wstoken(request)
        self._expect_type(request, FORM)
        client_id = self.oauth.client_of(request)
        if name == "revoke":
            self.oauth.revoke(request.form.get("token", ""))
            return Response(200)
        return json_response(200, self.oauth.grant(client_id, request.form))

    def _wstoken(self, request: Request) -> Response:
        if "WebSocketsSubscription" not in self.permissions:
            raise not_permitted("WebSocketsSubscription")
        token = (request.header("Authorization") or "").partition(" ")[2]
        answer = {
            "uri": self.url.replace("http", "ws", 1) + "/ws",
            "ws_access_token": self.oauth.new_wstoken(self.oauth.session_of(token).client_id),
            "expires_in": int(self.oauth.wstoken_seconds),
        }
        return json_response(200, answer)

    def _login_page(self, request: Request) -> Response:
        """Redirect with a code, as after a login in a browser."""
        query = dict(parse_qsl(urlsplit(request.target).query))
        if query.get("response_type") != "code" or "redirect_uri" not in query:
            self.violations.append(f"a login page without its parameters: {request.target}")
            return Response(400)
        if query.get("code_challenge_method", "S256") != "S256":
            self.violations.append("a code challenge that is not S256")
        code = self.oauth.new_code(
            query["redirect_uri"], query.get("code_challenge", ""), query.get("client_id", "")
        )
        result = urlencode({"code": code, "state": query.get("state", "")})
        return Response(302, headers=[("Location", f"{query['redirect_uri']}?{result}")])

    def _expect_type(self, request: Request, expected: str) -> None:
        if request.content_type != expected:
            self.violations.append(f"{request.content_type!r} at {request.method} {request.path}")


def request_id() -> tuple[str, str]:
    return "RCRequestId", str(uuid.uuid4())
