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
    st.none() | st.frozensets(st.text(max_size=3)),
    st.lists(st.text(max_size=3)),
)
def test_a_status_comes_back_as_it_was(
    follows: bool, ready: bool, stale: frozenset[str] | None, disabled: list[str]
) -> None:
    filters = tuple(DisabledFilterInfo(each, each, each) for each in disabled)
    status = BoardStatus(follows, False, ready, stale, filters)
    assert status_of(dump_status(status)) == status


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\x80\x04\x95",
        b'{"source":"event"}',
        b'{"source":"Event","time":"2026-03-02T09:00:00Z"}',
        b'{"source":"event","time":"2026-03-02T09:00:00"}',
        b'{"source":"event","time":"2026-03-02T09:00:00Z","record":[]}',
        b'{"source":"event","time":"2026-03-02T09:00:00Z","record":{"extension":1}}',
        b'{"source":"event","time":"2026-03-02T09:00:00Z","error":{"httpStatus":"x"}}',
        b'{"source":"event","time":"2026-03-02T09:00:00Z"' + b" " * MAX_ENTRY + b"}",
        b"[" * 2000,
    ],
)
def test_anything_else_is_no_entry(data: bytes) -> None:
    with pytest.raises(DecodeError):
        load_entry(data)


@pytest.mark.parametrize("data", [b"", b"7", b"{", b'{"stale":7}', b'{"error":[]}'])
def test_with_any_other_status_nothing_is_certain(data: bytes) -> None:
    assert status_of(data) == BoardStatus()


def test_a_status_of_wrong_truth_is_false() -> None:
    assert status_of(b'{"following":null,"stale":[]}') == BoardStatus(stale=frozenset())


def test_no_class_is_looked_up_by_its_name() -> None:
    data = b'{"source":"event","time":"2026-03-02T09:00:00Z","error":{"type":"SystemExit"}}'
    assert type(load_entry(data).error) is PresenceError
