import pytest

from aiopresence import (
    BatchError,
    BatchResult,
    NotFound,
    Outcome,
    PermissionDenied,
    PresenceError,
)

GONE, HIDDEN = NotFound(404), PermissionDenied(403)
RESULT = BatchResult(
    [
        Outcome("1", 200, "one"),
        Outcome("2", 404, error=GONE),
        Outcome("1", 200, "one"),
        Outcome("3", 403, error=HIDDEN),
    ]
)


def test_an_outcome_is_a_value_or_an_error() -> None:
    assert RESULT[0].ok
    assert RESULT[0].unwrap() == "one"
    assert not RESULT[1].ok
    with pytest.raises(NotFound):
        RESULT[1].unwrap()


def test_a_result_is_a_sequence() -> None:
    assert len(RESULT) == 4
    assert [o.id for o in RESULT] == ["1", "2", "1", "3"]
    assert RESULT[-1].error is HIDDEN
    assert isinstance(RESULT[:2], BatchResult)
    assert [o.id for o in RESULT[1:3]] == ["2", "1"]
    assert repr(RESULT) == "<BatchResult: 4 ids, 2 errors>"


def test_a_result_by_id() -> None:
    assert RESULT.values == {"1": "one"}
    assert RESULT.errors == {"2": GONE, "3": HIDDEN}


def test_raising_for_errors() -> None:
    BatchResult([Outcome("1", 200, "one")]).raise_for_errors()
    BatchResult([]).raise_for_errors()
    with pytest.raises(BatchError, match="2 of 3 ids failed") as caught:
        RESULT.raise_for_errors()
    assert isinstance(caught.value, PresenceError)
    assert caught.value.exceptions == (GONE, HIDDEN)


def test_errors_can_be_taken_apart_by_kind() -> None:
    seen: list[type] = []
    try:
        RESULT.raise_for_errors()
    except* NotFound as group:
        seen.append(type(group))
    except* PermissionDenied as group:
        seen.append(type(group))
    assert seen == [BatchError, BatchError]
