"""What an event session emits: events, gaps between them, and subscriptions."""

from datetime import datetime

import attrs

from ..models import PresenceEvent, ResyncReason, SubscriptionInfo


@attrs.frozen
class Gap:
    """Events may be missing: from `since_at`, in monotonic seconds, until now."""

    reason: ResyncReason
    since_at: float


@attrs.frozen
class Subscribed:
    """The subscription was made, for the first time or again: events arrive from here on.

    Attributes:
        info: the subscription.
        connected_at: when its connection was made, by the gateway's clock; None if not known.
        requested_at: when that connection was requested, in monotonic seconds.
    """

    info: SubscriptionInfo
    connected_at: datetime | None
    requested_at: float


SessionOutput = PresenceEvent | Gap | Subscribed
