"""Subscriptions to notifications, as RingCentral describes them.

Source of names and meanings: RingCentral API reference, "Subscriptions".
"""

from datetime import datetime

import attrs
from attrs.converters import optional

from ..ids import RecordId
from ..redaction import Secret
from .enums import OpenStrEnum


class SubscriptionStatus(OpenStrEnum):
    """Whether notifications are sent."""

    ACTIVE = "Active"
    SUSPENDED = "Suspended"
    BLACKLISTED = "Blacklisted"


@attrs.frozen(weakref_slot=False)
class DisabledFilterInfo:
    """An event filter that brings nothing, although the subscription as a whole was accepted.

    Attributes:
        filter: the event filter.
        reason: RingCentral's code for why.
        message: RingCentral's own words.
    """

    filter: str | None = None
    reason: str | None = None
    message: str | None = None


@attrs.frozen(weakref_slot=False)
class NotificationBlacklistedData:
    """Why RingCentral has given up on a webhook.

    Attributes:
        reason: RingCentral's own words.
        blacklisted_at: since when.
    """

    reason: str | None = None
    blacklisted_at: datetime | None = None


@attrs.frozen(weakref_slot=False)
class NotificationDeliveryMode:
    """How notifications are delivered.

    Attributes:
        transport_type: "WebSocket", "WebHook" or another transport.
        address: where webhooks are sent.
        encryption: whether notifications are encrypted.
        verification_token: what webhooks prove their origin with; a secret.
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
        id: the subscription's id.
        uri: its own address in the API.
        event_filters: what it brings notifications of.
        disabled_filters: which of them bring nothing, and why.
        expiration_time: until when it lasts, unless it is renewed.
        expires_in: the same in seconds from the answer.
        creation_time: since when there is one.
        status: whether notifications are sent.
        blacklisted_data: why not, when the status is Blacklisted.
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
