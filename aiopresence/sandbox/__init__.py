"""RingCentral on loopback: a server to test against, without an account and without a network.

It answers the nine presence calls and the token endpoint as RingCentral does, and tells of changes
over WebSockets, with one state that tests can change. It makes faults to order. It shares no code
with the client.
"""

from .counters import Counters
from .courier import Webhook, WebhookDelivery, WebhookRule
from .exchange import Exchange, Received
from .faults import Fault, FaultRule, Faults
from .feed import Feed
from .gateway_control import GatewayControl
from .gateway_plan import GatewayPlan
from .kinds import (
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
from .server import Sandbox
from .simulation import Simulation
from .switchboard import GatewayFrame, GatewayRule
from .webhook_control import WebhookControl

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
