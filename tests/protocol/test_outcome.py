import gc

import pytest

from aiopresence import (
    BatchError,
    BatchResult,
    ConnectionFailed,
    DecodeError,
    GetPresenceInfo,
    NotFound,
    Outcome,
    PermissionDenied,
    PresenceError,
    Timeout,
)
from aiopresence.protocol.outcome import failed, keep, succeeded

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
    assert BatchResult(RESULT, "account")[:2].route == "account"
    assert [o.id for o in RESULT[1:3]] == ["2", "1"]
    assert repr(RESULT) == "<BatchResult: 4 ids, 2 errors>"


def test_a_result_by_id() -> None:
    assert RESULT.values == {"1": "one"}
    assert RESULT.errors == {"2": GONE, "3": HIDDEN}


def test_raise_for_errors_names_the_failed_ids() -> None:
    BatchResult([Outcome("1", 200, "one")]).raise_for_errors()
    BatchResult([]).raise_for_errors()
    with pytest.raises(BatchError, match="2 of 3 ids failed: 2, 3") as caught:
        RESULT.raise_for_errors()
    assert isinstance(caught.value, PresenceError)
    assert [type(error) for error in caught.value.exceptions] == [NotFound, PermissionDenied]
    assert [error.__notes__ for error in caught.value.exceptions] == [
        ["extension 2"],
        ["extension 3"],
    ]


@pytest.mark.parametrize(
    "error",
    [
        NotFound(404, "CMN-102", "m", "p", "r", 5.0, "b"),
        ConnectionFailed("x", sent=False, final=True),
        Timeout("x"),
        DecodeError("reason", "$.path"),
    ],
)
def test_an_error_shared_by_ids_is_raised_once_per_id(error: PresenceError) -> None:
    with pytest.raises(BatchError) as caught:
        BatchResult([Outcome("1", error=error), Outcome("2", error=error)]).raise_for_errors()
    for copied, id_ in zip(caught.value.exceptions, "12", strict=True):
        assert copied is not error
        assert str(copied) == str(error)
        assert vars(copied) == {**vars(error), "__notes__": [f"extension {id_}"]}
    assert not hasattr(error, "__notes__")


def test_errors_can_be_split_by_class() -> None:
    seen: list[type] = []
    try:
        RESULT.raise_for_errors()
    except* NotFound as group:
        seen.append(type(group))
    except* PermissionDenied as group:
        seen.append(type(group))
    assert seen == [BatchError, BatchError]


def test_at_most_three_failed_ids_are_named() -> None:
    def message(count: int) -> str:
        result = BatchResult[str]([Outcome(str(n), 404, error=GONE) for n in range(count)])
        with pytest.raises(BatchError) as caught:
            result.raise_for_errors()
        return caught.value.message

    assert message(2) == "2 of 2 ids failed: 0, 1"
    assert message(3) == "3 of 3 ids failed: 0, 1, 2"
    assert message(4) == "4 of 4 ids failed: 0, 1, 2, …"
    assert message(5) == "5 of 5 ids failed: 0, 1, 2, …"


def test_errors_are_counted_in_the_representation() -> None:
    assert repr(BatchResult([Outcome("1", 200, "one")])) == "<BatchResult: 1 ids, 0 errors>"


def test_outcomes_made_fast_are_as_the_constructor_makes_them() -> None:
    assert succeeded(["1", "2"], ["a", "b"]) == [Outcome("1", 200, "a"), Outcome("2", 200, "b")]
    assert [outcome.of_request for outcome in succeeded(["1"], ["a"])] == [False]
    for ids, values in ((["1"], []), ([], ["a"])):
        with pytest.raises(ValueError, match="zip"):
            succeeded(ids, values)


def test_outcomes_are_kept_by_id_and_the_last_one_counts() -> None:
    one, again = (Outcome("1", 200, GetPresenceInfo(message=text)) for text in "ab")
    two: Outcome[GetPresenceInfo] = Outcome("2", 404, error=GONE)
    found: dict[str, Outcome[GetPresenceInfo]] = {}
    keep(found, [one, two])
    assert found == {"1": one, "2": two}
    keep(found, [again])
    assert found == {"1": again, "2": two}


def test_the_values_that_are_kept_are_not_visited_by_the_garbage_collector() -> None:
    value = GetPresenceInfo(message="a")
    assert gc.is_tracked(value)
    keep({}, [Outcome("1", 200, value)])
    assert not gc.is_tracked(value)


@pytest.mark.parametrize(
    ("ids", "of_request"), [([], []), (["1"], [False]), (["1", "2"], [True, True])]
)
def test_the_error_of_a_request_of_several_ids_may_be_about_any(
    ids: list[str], of_request: list[bool]
) -> None:
    outcomes: list[Outcome[str]] = failed(iter(ids), GONE, 404)
    assert outcomes == [Outcome(id_, 404, None, GONE) for id_ in ids]
    assert [outcome.of_request for outcome in outcomes] == of_request
