"""All state of one sandbox, without the network: what its endpoints read and change."""

import random

from . import fake_account, fake_people
from .gateway.options import GatewayPlan
from .login_page import LoginPage
from .notifications import Feed
from .oauth_endpoint import OAuthServer
from .permissions import Permissions
from .rate_limits import Counters, Quota, UsagePlan
from .request_context import ResponseOptions
from .tokens import TokenLifetimes, WebSocketTokens
from .webhooks.subscriptions import WebhookSubscriptions


class SandboxState:
    """The account, tokens, permissions, quota and subscriptions of one sandbox.

    Args:
        extensions: how many extensions the account has.
        seed: the same seed makes the same account and credentials.
        options: how responses look.
        plan: how many requests are allowed.
        lifetimes: how long tokens are valid when the request for one does not say.
        gateway: how the WebSocket gateway behaves.

    Attributes:
        rng: the source of the account and of all credentials.
        url: the server's address while it listens, else "".
    """

    def __init__(
        self,
        extensions: int,
        seed: int,
        options: ResponseOptions,
        plan: UsagePlan,
        lifetimes: TokenLifetimes,
        gateway: GatewayPlan,
    ) -> None:
        # Two sources, so that requests do not change which people and credentials come next.
        self.rng = random.Random(seed)  # noqa: S311 - invents people, protects nothing
        self.ids = random.Random(seed)  # noqa: S311 - makes request ids and boundaries
        self.options = options
        self.url = ""
        self.counters = Counters()
        self.quota = Quota(plan)
        self.account = fake_account.build(self.rng, extensions)
        self.permissions = Permissions()
        self.feed = Feed(self.account, self.permissions, seed)
        self.oauth = OAuthServer(self.rng, self.account.caller.id, lifetimes, self.counters)
        self.login_page = LoginPage(
            self.oauth.grant.client_id, self.account.caller.name, self.oauth.new_code
        )
        self.websocket_tokens = WebSocketTokens(
            self.ids, gateway.wstoken_lifetime, single_use=gateway.wstoken_single_use
        )
        self.webhooks = WebhookSubscriptions(self.feed)

    def new_boundary(self) -> str:
        """Return a new boundary for a multipart response."""
        return fake_people.token(self.ids, "Boundary_", 45)
