"""From a request to its real answer: tokens, routes, and the account behind them."""

import random
import re
import uuid
from urllib.parse import parse_qsl

from . import fake_account, fake_people, oauth_endpoint, routes
from .counters import Counters
from .exchange import Received
from .gateway.options import GatewayPlan
from .gateway.tokens import Tickets
from .login_page import AUTHORIZE_PATH, LoginPage
from .notifications import Feed
from .permissions import Permissions
from .rate_limits import Plan, Quota, Standing
from .request_context import Ask, Options
from .responses import Later, RefusedError, Reply, bad, json_reply, missing
from .tokens import Lives
from .webhooks.subscriptions import Webhooks


class Service:
    """RingCentral without the network.

    Args:
        extensions: how many extensions the account has.
        seed: the same seed makes the same account and credentials.
        options: how to answer.
        plan: how many requests are allowed.
        lives: how long tokens live when a request for one does not say.
        gateway: how the WebSocket gateway behaves.
    """

    def __init__(
        self,
        extensions: int,
        seed: int,
        options: Options,
        plan: Plan,
        lives: Lives,
        gateway: GatewayPlan,
    ) -> None:
        # Two sources, so that what is asked of the sandbox does not change what it is.
        self.rng = random.Random(seed)  # noqa: S311 - invents people, protects nothing
        self._ids = random.Random(seed)  # noqa: S311 - makes request ids and boundaries
        self._options = options
        self.quota = Quota(plan)
        self.counters = Counters()
        self.account = fake_account.build(self.rng, extensions)
        self.permissions = Permissions()
        self.feed = Feed(self.account, self.permissions, seed)
        single_use = gateway.wstoken_single_use
        self._tickets = Tickets(self._ids, gateway.wstoken_lifetime, single_use=single_use)
        self.webhooks = Webhooks(self.feed)
        self.authority = oauth_endpoint.Authority(
            self.rng, self.account.caller.id, lives, self.counters
        )
        self._login_page = LoginPage(
            self.authority.grant.client_id, self.account.caller.name, self.authority.new_code
        )

    def group(self, method: str, path: str) -> str:
        """Tell the usage-plan group of a request; "" for one to no known call."""
        if path in (routes.TOKEN_PATH, routes.WSTOKEN_PATH):
            return "Auth" if method == "POST" else ""
        found = routes.find(path)
        if found and method in found.methods:
            return found.methods[method][0]
        return self.webhooks.group(method, path)

    def charge(self, received: Received) -> Standing | None:
        """Count a request against its group; None when it counts nowhere.

        RingCentral counts per user and app, of which the sandbox has one each, so a new token
        brings no new quota. That requests without a good token count nowhere is a guess; those
        to the token endpoint always count.
        """
        if received.path == routes.TOKEN_PATH:
            self.counters.token_requests += 1
        needs_token = received.path != routes.TOKEN_PATH
        if not received.group or (needs_token and self._stranger(received)):
            return None
        standing = self.quota.charge(received.arrival, received.group)
        self.counters.in_penalty += standing.in_penalty
        return standing

    def _stranger(self, received: Received) -> bool:
        try:
            self.authority.sessions.check(received.token, received.arrival)
        except RefusedError:
            return True
        return False

    def dress(self, reply: Reply, standing: Standing | None) -> None:
        """Add the headers that every answer carries, where they are not there yet."""
        request_id = str(uuid.UUID(int=self._ids.getrandbits(128), version=4))
        rates = self.quota.plan.headers(standing) if standing else {}
        for name, value in {"RCRequestId": request_id, **rates}.items():
            reply.headers.setdefault(name, value)

    def answer(
        self,
        received: Received,
        standing: Standing | None,
        base: str,
        objection: RefusedError | None = None,
    ) -> Reply:
        """Handle a request, so that it takes effect, and answer it.

        Args:
            received: the request.
            standing: how its group stands since it arrived; one that is refused has no effect.
            base: scheme, host and port of the server, for links.
            objection: why its body could not be read, or None.
        """
        if standing is not None and standing.refused:
            self.counters.rate_limited += 1
            return self.quota.plan.refusal()
        if objection is not None:
            return _refusal(objection)
        try:
            return self._answer(received, base)
        except RefusedError as error:
            return _refusal(error)

    async def finish(self, reply: Reply, standing: Standing | None) -> Reply:
        """Wait for an answer that takes a while. Others are ready, and stay as they are."""
        if not isinstance(reply, Later):
            return reply
        try:
            finished = await reply.finish()
        except RefusedError as error:
            finished = _refusal(error)
        self.dress(finished, standing)
        return finished

    def _answer(self, received: Received, base: str) -> Reply:
        if received.path in (routes.TOKEN_PATH, routes.REVOKE_PATH):
            return self._authorize(received)
        if received.path == AUTHORIZE_PATH:
            if received.verb not in ("GET", "POST"):
                return Reply(405, headers={"Allow": "GET, POST"})
            return self._login_page.answer(received.verb, received.query, received.body)
        if received.path in (routes.WSTOKEN_PATH, routes.WS_PATH):
            return self._open_socket(received, base)
        found = routes.find(received.path)
        if found is None and (methods := self.webhooks.methods(received.path)):
            return self._subscribe(received, methods, base)
        if found is None:
            raise RefusedError(404, "CMN-102", "There is no such resource.")
        if received.verb not in found.methods:
            return Reply(405, headers={"Allow": ", ".join(found.methods)})
        self.authority.sessions.check(received.token, received.arrival)
        self._check_account(found.account_id)
        self.permissions.check(found.reading if received.verb == "GET" else "EditPresence")
        _, call = found.methods[received.verb]
        return call(self._ask(received, base, found.target))

    def _subscribe(self, received: Received, methods: list[str], base: str) -> Reply:
        if received.verb not in methods:
            return Reply(405, headers={"Allow": ", ".join(methods)})
        self.authority.sessions.check(received.token, received.arrival)
        return self.webhooks.answer(received.verb, received.path, received.body, base)

    def _authorize(self, received: Received) -> Reply:
        if received.method != "POST":
            return Reply(405, headers={"Allow": "POST"})
        authorization = received.headers.get("authorization", "")
        if received.path == routes.REVOKE_PATH:
            return self.authority.revoke(authorization, received.body)
        return self.authority.answer(authorization, received.body, received.arrival)

    def _open_socket(self, received: Received, base: str) -> Reply:
        """Give out a WebSocket token, or take one: 101 says that the connection is to begin."""
        takes = "GET" if received.path == routes.WS_PATH else "POST"
        if received.method != takes:
            return Reply(405, headers={"Allow": takes})
        if received.path == routes.WSTOKEN_PATH:
            self.authority.sessions.check(received.token, received.arrival)
            self.permissions.check("WebSocketsSubscription")
            return json_reply(self._tickets.give(base, received.arrival))
        if received.headers.get("upgrade", "").lower() != "websocket":
            return Reply(426, headers={"Upgrade": "websocket"})
        token = dict(parse_qsl(received.query)).get("access_token", "")
        self._tickets.use(token, received.arrival)
        return Reply(101)

    def _check_account(self, account_id: str) -> None:
        if not re.fullmatch("~|[0-9]+", account_id):
            raise bad("accountId")
        if account_id not in ("~", self.account.id):
            raise missing("accountId")

    def _ask(self, received: Received, base: str, target: str) -> Ask:
        return Ask(
            account=self.account,
            feed=self.feed,
            options=self._options,
            base=base,
            target=target,
            query=dict(parse_qsl(received.query, keep_blank_values=True)),
            accept=received.headers.get("accept", ""),
            body=received.body,
            new_boundary=lambda: fake_people.token(self._ids, "Boundary_", 45),
        )


def _refusal(error: RefusedError) -> Reply:
    reply = json_reply(error.body, error.status)
    if error.status == 401:
        challenge = 'Bearer realm="RingCentral REST API", error="invalid_token"'
        reply.headers["WWW-Authenticate"] = challenge
    return reply
