"""Subscriptions to notifications.

Source of names and meanings: RingCentral API reference, "Subscriptions".
"""

from datetime import datetime

import attrs
from attrs.converters import optional

from ..enums import OpenStrEnum
from ..ids import RecordId
from ..redaction import Secret


class SubscriptionStatus(OpenStrEnum):
    """The status of a subscription: whether notifications are sent."""

    ACTIVE = "Active"
    SUSPENDED = "Suspended"
    BLACKLISTED = "Blacklisted"


@attrs.frozen(weakref_slot=False)
class DisabledFilterInfo:
    """An event filter without notifications, although the subscription was accepted.

    Attributes:
        filter: the event filter.
        reason: RingCentral's error code.
        message: RingCentral's error message.
    """

    filter: str | None = None
    reason: str | None = None
    message: str | None = None


@attrs.frozen(weakref_slot=False)
class NotificationBlacklistedData:
    """Why RingCentral has stopped calling a webhook.

    Attributes:
        reason: RingCentral's message.
        blacklisted_at: when it stopped.
    """

    reason: str | None = None
    blacklisted_at: datetime | None = None


@attrs.frozen(weakref_slot=False)
class NotificationDeliveryMode:
    """How notifications are delivered.

    Attributes:
        transport_type: "WebSocket", "WebHook" or another transport.
        address: the URL of the webhook.
        encryption: whether notifications are encrypted.
        verification_token: sent with each notification to prove its origin; a secret.
    """

    transport_type: str | None = None
    address: str | None = None
    encryption: bool | None = None
    verification_token: str | None = attrs.field(
        default=None, repr=False, converter=optional(Secret)
    )


@attrs.frozen(weakref_slot=False)
class SubscriptionInfo:
    """A subscription.

    Attributes:
        id: the id of the subscription.
        uri: its URL in the API.
        event_filters: the events that notifications are sent of.
        disabled_filters: the filters that none are sent of, and why.
        expiration_time: when it expires unless it is renewed.
        expires_in: the same in seconds from the response.
        creation_time: when it was made.
        status: whether notifications are sent.
        blacklisted_data: why not; None unless the status is Blacklisted.
        delivery_mode: how notifications are delivered.
    """

    id: RecordId | None = None
    uri: str | None = None
    event_filters: tuple[str, ...] | None = None
    disabled_filters: tuple[DisabledFilterInfo, ...] | None = None
    expiration_time: datetime | None = None
    expires_in: int | None = None
    creation_time: datetime | None = None
    status: SubscriptionStatus | None = None
    blacklisted_data: NotificationBlacklistedData | None = None
    delivery_mode: NotificationDeliveryMode | None = None
