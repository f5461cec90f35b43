"""Errors as values that anybody may have written, and back."""

from typing import Any

import attrs
import pytest

from aiopresence import (
    ApiError,
    AuthError,
    ConnectionFailed,
    DecodeError,
    InvalidRequest,
    LookupFailed,
    NotFound,
    PermissionDenied,
    PresenceError,
    RateLimited,
    RedisFailed,
    RestoreFailed,
    ServerError,
    SessionLost,
    Timeout,
    TransportError,
    UsageError,
)
from aiopresence.protocol.error_values import ErrorValues, from_error, to_error

API = (409, "CMN-101", "Wrong", "id", "r-1", 2.5, "the body")
API_VALUES = ErrorValues(None, "Wrong", 409, "CMN-101", "id", "r-1", 2.5, "the body")


def with_attributes(error: ApiError, **values: object) -> ApiError:
    vars(error).update(values)
    return error


@pytest.mark.parametrize(
    ("error", "values"),
    [
        *(
            (cls(*API), attrs.evolve(API_VALUES, type=cls.__name__))
            for cls in (ApiError, InvalidRequest, PermissionDenied, ServerError)
        ),
        (
            with_attributes(NotFound(*API), id="101"),
            attrs.evolve(API_VALUES, type="NotFound", id="101"),
        ),
        (
            with_attributes(AuthError(*API), final=True),
            attrs.evolve(API_VALUES, type="AuthError", final=True),
        ),
        (
            with_attributes(RateLimited(*API), group="Light", sent=False),
            attrs.evolve(API_VALUES, type="RateLimited", group="Light", sent=False),
        ),
        (
            ConnectionFailed("lost", sent=False, final=True),
            ErrorValues("ConnectionFailed", "lost", sent=False, final=True),
        ),
        (ConnectionFailed("lost"), ErrorValues("ConnectionFailed", "lost", sent=True, final=False)),
        (
            DecodeError("expected a list", "$.records"),
            ErrorValues("DecodeError", "expected a list", path="$.records"),
        ),
        *(
            (cls("text"), ErrorValues(cls.__name__, "text"))
            for cls in (PresenceError, RedisFailed, SessionLost, Timeout, TransportError)
        ),
        (UsageError("text"), ErrorValues("UsageError", "text")),
    ],
    ids=lambda value: value.type if isinstance(value, ErrorValues) else "",
)
def test_an_error_has_its_values_and_comes_back(error: PresenceError, values: ErrorValues) -> None:
    assert from_error(error) == values
    again = to_error(values)
    assert type(again) is type(error)
    assert (vars(again), str(again)) == (vars(error), str(error))
    assert from_error(again) == values


def test_no_error_has_no_values() -> None:
    assert from_error(None) is None
    assert to_error(None) is None


class OwnError(NotFound):
    """A user's own."""


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (OwnError(404), "NotFound"),
        (RestoreFailed("text", {"message": "x"}), "PresenceError"),
        (LookupFailed("text", "a"), "PresenceError"),
    ],
)
def test_an_error_without_a_name_of_its_own_has_that_of_its_base(
    error: PresenceError, name: str
) -> None:
    values = from_error(error)
    assert values is not None
    assert values.type == name


API_DEFAULTS = {
    "error_code": None,
    "message": None,
    "parameter_name": None,
    "request_id": None,
    "http_status": 0,
    "retry_after": None,
    "body": "",
}


@pytest.mark.parametrize(
    ("name", "cls", "attributes"),
    [
        ("ApiError", ApiError, API_DEFAULTS),
        ("NotFound", NotFound, API_DEFAULTS),
        ("AuthError", AuthError, {**API_DEFAULTS, "final": False}),
        ("RateLimited", RateLimited, {**API_DEFAULTS, "group": None, "sent": True}),
        ("ConnectionFailed", ConnectionFailed, {"sent": True, "final": False}),
        ("DecodeError", DecodeError, {"reason": "", "path": "$"}),
        ("Timeout", Timeout, {}),
        # Not the classes of others, whatever they are called.
        *((name, PresenceError, {}) for name in (None, "", "Exception", "LookupFailed", "str")),
    ],
)
def test_values_without_attributes_are_an_error_with_the_defaults(
    name: str | None, cls: type[PresenceError], attributes: dict[str, Any]
) -> None:
    error = to_error(ErrorValues(name))
    assert type(error) is cls
    assert vars(error) == attributes
    if not issubclass(cls, (ApiError, DecodeError)):
        assert str(error) == ""


@pytest.mark.parametrize("value", [None, True, False])
def test_only_what_is_certain_makes_an_error_final_or_unsent(value: bool | None) -> None:
    for name in ("ConnectionFailed", "RateLimited"):
        assert vars(to_error(ErrorValues(name, sent=value)))["sent"] is (value is not False)
    for name in ("ConnectionFailed", "AuthError"):
        assert vars(to_error(ErrorValues(name, final=value)))["final"] is (value is True)


def test_texts_are_cut_and_safe_to_print() -> None:
    values = from_error(UsageError("x" * 1001))
    assert values == ErrorValues("UsageError", "x" * 1000)
    assert str(to_error(values)) == "x" * 1000
    assert str(to_error(ErrorValues("Timeout", "x" * 1001))) == "x" * 999 + "…"
    error = to_error(ErrorValues("ApiError", "\x1b[1m", body="\n" + "y" * 300))
    assert isinstance(error, ApiError)
    assert (error.message, error.body) == ("\\x1b[1m", "\\n" + "y" * 254 + "…")
