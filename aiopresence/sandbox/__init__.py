"""RingCentral on loopback: a server to test against, without an account and without a network.

It answers the nine presence calls and the token endpoint as RingCentral does, and tells of changes
over WebSockets, with one state that tests can change. It makes faults to order. It shares no code
with the client.
"""

from .counters import Counters
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
