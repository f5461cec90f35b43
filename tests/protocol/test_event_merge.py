"""Which fields of an event are merged into the record of an extension."""

from typing import Any

import attrs

from aiopresence import GetPresenceInfo, PresenceEventBody
from aiopresence.protocol.event_merge import changed_fields

EVENT_ONLY = {"extension_id", "sequence", "appearances", "owner_id"}


def test_all_fields_but_those_of_events_alone_are_merged() -> None:
    names = set(attrs.fields_dict(PresenceEventBody))
    values: dict[str, Any] = dict.fromkeys(names, "x")
    fields = changed_fields(None, PresenceEventBody(**values))
    assert fields == dict.fromkeys(names - EVENT_ONLY, "x")
    assert attrs.evolve(GetPresenceInfo(), **fields) != GetPresenceInfo()


def test_fields_that_an_event_does_not_have_are_not_merged() -> None:
    assert changed_fields(None, PresenceEventBody(extension_id="1", sequence=2)) == {}
