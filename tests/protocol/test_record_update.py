"""Updated records equal the new ones, and consist of the old ones where nothing has changed."""

from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from aiopresence.protocol.record_update import update, update_all
from tests.support.presence_state import record

CALLS = [{"id": "c-1", "telephonyStatus": "Ringing"}, {"id": "c-2"}]
ENDED = [{"id": "c-1", "telephonyStatus": "NoCall"}, {"id": "c-2"}]
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "message": st.sampled_from(["Hello", "Bye"]),
        "presenceStatus": st.sampled_from(["Busy", "Unheard"]),
        "allowSeeMyPresence": st.booleans(),
        "activeCalls": st.sampled_from([[], CALLS, ENDED]),
        "totalActiveCalls": st.sampled_from([0, 1, 2]),
    },
)


@given(FIELDS, FIELDS)
def test_an_updated_record_equals_the_new_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    known, read = record("1", **old), record("1", **new)
    updated = update_all(known, read)
    assert updated == read
    assert (updated is known) == (known == read)
    fields = {n: v for n, v in attrs.asdict(read, recurse=False).items() if v is not None}
    assert update(known, fields) == attrs.evolve(known, **fields)


def test_equal_parts_of_the_old_record_are_kept() -> None:
    known = record("1", activeCalls=CALLS, message="Hello" * 2)
    updated = update_all(known, record("1", activeCalls=CALLS, message="Hello" * 2, uri="u"))
    assert updated.extension is known.extension
    assert updated.message is known.message
    assert updated.uri == "u"


@pytest.mark.parametrize("more", [{}, {"message": "Bye"}])
def test_changed_calls_are_never_missed(more: dict[str, Any]) -> None:
    known = record("1", activeCalls=CALLS, message="Hello")
    ended = record("1", activeCalls=ENDED).active_calls
    updated = update(known, {"active_calls": ended, **more})
    assert updated == attrs.evolve(known, active_calls=ended, **more)
