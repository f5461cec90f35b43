"""A server with RingCentral's presence API on loopback, for tests without an account.

`Sandbox` has the presence endpoints, OAuth, webhooks and WebSocket notifications over one state,
which tests can change. It enforces rate limits and makes faults on request. It shares no code
with the client. `aiopresence.sandbox.plugin` has fixtures for pytest, and
`aiopresence.sandbox.virtual_time` makes hours pass in no time.
"""

from .exchange import Exchange, Received
from .fault_kinds import (
    Answer,
    Change,
    Delay,
    Drip,
    Gzip,
    Hang,
    Raw,
    Redirect,
    Reset,
    Slice,
    Truncate,
)
from .faults import Fault, FaultRule, Faults
from .gateway.controls import GatewayControl
from .gateway.faults import GatewayFrame, GatewayRule
from .gateway.options import GatewayPlan
from .notifications import Feed
from .rate_limits import Counters
from .sandbox import Sandbox
from .simulation import Simulation
from .webhooks.controls import WebhookControl
from .webhooks.delivery import Webhook, WebhookDelivery, WebhookRule

__all__ = [
    "Answer",
    "Change",
    "Counters",
    "Delay",
    "Drip",
    "Exchange",
    "Fault",
    "FaultRule",
    "Faults",
    "Feed",
    "GatewayControl",
    "GatewayFrame",
    "GatewayPlan",
    "GatewayRule",
    "Gzip",
    "Hang",
    "Raw",
    "Received",
    "Redirect",
    "Reset",
    "Sandbox",
    "Simulation",
    "Slice",
    "Truncate",
    "Webhook",
    "WebhookControl",
    "WebhookDelivery",
    "WebhookRule",
]
