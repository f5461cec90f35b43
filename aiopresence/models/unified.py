"""Unified presence: Glip, telephony and meetings in one record.

Source of names and meanings: RingCentral API reference, "Presence", unified presence operations.
"""

from collections.abc import Mapping
from typing import Any

import attrs
from attrs.converters import optional

from ..enums import (
    Availability,
    GlipAvailability,
    GlipStatus,
    TelephonyAvailability,
    TelephonyStatus,
    UnifiedMeetingStatus,
    UnifiedStatus,
    Visibility,
)
from . import writable
from .availability import unified_availability
from .validation import as_record, encodable


@attrs.frozen(weakref_slot=False)
class UnifiedPresenceGlip:
    """Presence in Glip, RingCentral's messaging.

    Attributes:
        status: whether the user is connected.
        visibility: whether others can see it; only in one's own presence.
        availability: whether the user receives notifications.
    """

    status: GlipStatus | None = None
    visibility: Visibility | None = None
    availability: GlipAvailability | None = None


@attrs.frozen(weakref_slot=False)
class UnifiedPresenceTelephony:
    """Presence on the phone.

    Attributes:
        status: the state of the phone.
        visibility: whether others can see it; only in one's own presence.
        availability: which calls the user accepts.
    """

    status: TelephonyStatus | None = None
    visibility: Visibility | None = None
    availability: TelephonyAvailability | None = None


@attrs.frozen(weakref_slot=False)
class UnifiedPresenceMeeting:
    """Presence in meetings.

    Attributes:
        status: whether the user is in a meeting.
    """

    status: UnifiedMeetingStatus | None = None


@attrs.frozen(weakref_slot=False)
class UnifiedPresence:
    """The presence of one user in Glip, on the phone and in meetings.

    Attributes:
        status: the aggregate of the three.
        glip: messaging.
        telephony: the phone.
        meeting: meetings.
    """

    status: UnifiedStatus | None = None
    glip: UnifiedPresenceGlip | None = None
    telephony: UnifiedPresenceTelephony | None = None
    meeting: UnifiedPresenceMeeting | None = None

    @property
    def availability(self) -> Availability:
        """Whether the user can be reached, in one word, by the table of `GetPresenceInfo`.

        `status` DND, like `telephony.availability` DoNotAcceptAnyCalls, is do-not-disturb.
        """
        telephony = self.telephony or UnifiedPresenceTelephony()
        meeting = self.meeting or UnifiedPresenceMeeting()
        return unified_availability(
            self.status, telephony.status, telephony.availability, meeting.status
        )


@attrs.frozen(weakref_slot=False)
class UpdateUnifiedPresenceGlip:
    """Changes to presence in Glip; a field that is None is not changed.

    Attributes:
        visibility: a Visibility or its text.
        availability: a GlipAvailability or its text.

    Raises:
        UsageError: a field has the wrong type.
    """

    visibility: Visibility | None = attrs.field(
        default=None, converter=optional(writable.visibility), validator=encodable
    )
    availability: GlipAvailability | None = attrs.field(
        default=None, converter=optional(writable.glip_availability), validator=encodable
    )


@attrs.frozen(weakref_slot=False)
class UpdateUnifiedPresenceTelephony:
    """Changes to presence on the phone; a field that is None is not changed.

    Attributes:
        availability: a TelephonyAvailability or its text.

    Raises:
        UsageError: a field has the wrong type.
    """

    availability: TelephonyAvailability | None = attrs.field(
        default=None, converter=optional(writable.telephony_availability), validator=encodable
    )


def _glip(
    value: UpdateUnifiedPresenceGlip | Mapping[str, Any],
) -> UpdateUnifiedPresenceGlip:
    return as_record(UpdateUnifiedPresenceGlip, value)


def _telephony(
    value: UpdateUnifiedPresenceTelephony | Mapping[str, Any],
) -> UpdateUnifiedPresenceTelephony:
    return as_record(UpdateUnifiedPresenceTelephony, value)


@attrs.frozen(weakref_slot=False)
class UpdateUnifiedPresence:
    """Changes to a user's unified presence; a part that is None is not changed.

    Attributes:
        glip: messaging; also as a mapping.
        telephony: the phone; also as a mapping.

    Raises:
        UsageError: a field has the wrong type, or a mapping has an unknown key.
    """

    glip: UpdateUnifiedPresenceGlip | None = attrs.field(default=None, converter=optional(_glip))
    telephony: UpdateUnifiedPresenceTelephony | None = attrs.field(
        default=None, converter=optional(_telephony)
    )
