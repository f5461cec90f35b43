from typing import Any

import pytest
from hypothesis import given, strategies as st

from aiopresence import (
    ApiError,
    AuthError,
    ChangeSource,
    ConnectionFailed,
    DecodeError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PresenceError,
    RateLimited,
    ServerError,
    SessionLost,
    Timeout,
)
from aiopresence.models import DisabledFilterInfo
from aiopresence.protocol.board_json import (
    MAX_ENTRY,
    MAX_STATUS,
    BoardEntry,
    BoardStatus,
    dump_entry,
    dump_status,
    load_entry,
    status_of,
)
from tests.support.presence_state import NOW, record


def entry(**fields: Any) -> BoardEntry:
    given = {"record": None, "error": None, "is_rejected": False, "source": ChangeSource.EVENT}
    return BoardEntry(**{**given, "time": NOW, **fields})


def test_a_record_comes_back_as_it_was() -> None:
    call = {
        "id": "7",
        "direction": "Inbound",
        "from": "+15551234567",
        "startTime": "2026-03-02T09:00:00.5+01:00",
        "telephonyStatus": "Hovering",
        "sipData": {"callId": "x", "rcSessionId": 8},
    }
    known = record(
        "1", presenceStatus="Busy", ringOnMonitoredCall=False, activeCalls=[call], message='"\n☎'
    )
    data = dump_entry(entry(record=known))
    assert load_entry(data) == entry(record=known)
    assert b'"presenceStatus":"Busy"' in data
    assert b'"from":"+15551234567"' in data


rate_limited = RateLimited(429, "CMN-301", "Slow down", retry_after=2.5)
rate_limited.group, rate_limited.sent = "Light", False
refused = AuthError(400, "invalid_grant")
refused.final = True


@pytest.mark.parametrize(
    "error",
    [
        NotFound(404, "CMN-102", "No such extension", "extensionId", "request", None, "{}"),
        PermissionDenied(403),
        InvalidRequest(418),
        ServerError(503, retry_after=1.0),
        ApiError(302),
        rate_limited,
        refused,
        ConnectionFailed("lost", sent=False, final=True),
        Timeout("too slow"),
        DecodeError("expected an object", "$.x"),
        SessionLost("gone"),
        PresenceError("what else"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_back_as_it_was(error: PresenceError) -> None:
    again = load_entry(dump_entry(entry(error=error, is_rejected=True)))
    assert type(again.error) is type(error)
    assert str(again.error) == str(error)
    assert vars(again.error) == vars(error)
    assert again.is_rejected
    assert vars(status_of(dump_status(BoardStatus(error=error))).error) == vars(error)


def test_an_error_of_another_class_comes_back_as_its_base() -> None:
    class Unavailable(ServerError):
        """Not one of this library."""

    again = load_entry(dump_entry(entry(error=Unavailable(503)))).error
    assert type(again) is ServerError


@given(
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.none() | st.frozensets(st.text(max_size=3)),
    st.lists(st.text(max_size=3)),
)
def test_a_status_comes_back_as_it_was(
    follows: bool, live: bool, ready: bool, stale: frozenset[str] | None, disabled: list[str]
) -> None:
    filters = tuple(DisabledFilterInfo(each, each, each) for each in disabled)
    status = BoardStatus(follows, live, ready, stale, filters)
    assert status_of(dump_status(status)) == status


TIMED = b'{"source":"event","time":"2026-03-02T09:00:00Z"'


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"{}", "no state of an extension"),
        (b"[]", "expected an object, not a list"),
        (b"null", "expected an object, not null"),
        (b"\x80\x04\x95", "not JSON"),
        (b'{"source":"event"}', "no state of an extension"),
        (TIMED.replace(b"event", b"Event") + b"}", "no state of an extension"),
        (b'{"time":"2026-03-02T09:00:00Z"}', "no state of an extension"),
        (
            TIMED.replace(b"Z", b"") + b"}",
            "$.time: expected a date and time with a UTC offset",
        ),
        (TIMED + b',"record":[]}', "$.record: expected an object, not a list"),
        (
            TIMED + b',"record":{"extension":1}}',
            "$.record.extension: expected an object, not a number",
        ),
        (
            TIMED + b',"error":{"httpStatus":"x"}}',
            "$.error.httpStatus: expected an integer, not a string",
        ),
        (TIMED + b" " * MAX_ENTRY + b"}", "longer than 65,536 bytes"),
        (b"[" * 2000, "not JSON"),
    ],
)
def test_anything_else_is_no_entry(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        load_entry(data)
    assert str(caught.value) == f"cannot decode the response: {reason}"


def test_an_entry_may_be_as_long_as_the_limit() -> None:
    data = TIMED + b"}"
    assert load_entry(data.ljust(MAX_ENTRY)) == entry()
    with pytest.raises(DecodeError):
        load_entry(data.ljust(MAX_ENTRY + 1))


def test_a_status_may_be_as_long_as_the_limit() -> None:
    data = b'{"ready":true}'
    assert status_of(data.ljust(MAX_STATUS)) == BoardStatus(is_ready=True)
    assert status_of(data.ljust(MAX_STATUS + 1)) == BoardStatus()


def test_values_have_the_names_of_ringcentral_and_leave_out_what_is_not_there() -> None:
    error = NotFound(404, "CMN-102", "gone")
    disabled = (DisabledFilterInfo("f", "r", "m"),)
    assert dump_entry(entry()) == b'{"source":"event","time":"2026-03-02T09:00:00+00:00"}'
    assert dump_entry(entry(record=record("1"), error=error, is_rejected=True)) == (
        b'{"record":{"extension":{"id":"1"}},"error":{"type":"NotFound","message":"gone",'
        b'"httpStatus":404,"errorCode":"CMN-102","body":""},"rejected":true,'
        b'"source":"event","time":"2026-03-02T09:00:00+00:00"}'
    )
    assert dump_status(BoardStatus()) == b'{"following":false,"live":false,"ready":false}'
    # In order, so that the same status is the same text.
    stale = frozenset({"3", "1", "2"})
    assert dump_status(BoardStatus(True, True, True, stale, disabled, error)) == (
        b'{"following":true,"live":true,"ready":true,"stale":["1","2","3"],'
        b'"disabledFilters":[{"filter":"f","reason":"r","message":"m"}],'
        b'"error":{"type":"NotFound","message":"gone","httpStatus":404,"errorCode":"CMN-102",'
        b'"body":""}}'
    )


@pytest.mark.parametrize("data", [b"", b"7", b"{", b'{"stale":7}', b'{"error":[]}'])
def test_with_any_other_status_nothing_is_certain(data: bytes) -> None:
    assert status_of(data) == BoardStatus()


def test_a_status_of_wrong_truth_is_false() -> None:
    assert status_of(b'{"following":null,"stale":[]}') == BoardStatus(stale=frozenset())


def test_no_class_is_looked_up_by_its_name() -> None:
    data = b'{"source":"event","time":"2026-03-02T09:00:00Z","error":{"type":"SystemExit"}}'
    assert type(load_entry(data).error) is PresenceError
