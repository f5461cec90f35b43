import pytest
from hypothesis import given, strategies as st

from aiopresence import (
    ApiError,
    AuthError,
    ConnectionFailed,
    DecodeError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PresenceError,
    RateLimited,
    ServerError,
    Timeout,
    UsageError,
)
from aiopresence.protocol.retry import Budget, decide


def refused_by_ourselves() -> RateLimited:
    error = RateLimited(429)
    error.sent = False
    return error


UNSENT, UNTRUSTED = ConnectionFailed("x", sent=False), ConnectionFailed("x", sent=False, final=True)


def again(error: PresenceError, attempt: int = 1, *, write: bool = False) -> bool:
    return decide(error, attempt, write=write, chance=0.5) is not None


@pytest.mark.parametrize(
    ("error", "read", "write"),
    [
        (UNSENT, True, True),
        (UNTRUSTED, False, False),  # TR-03
        (ConnectionFailed("broke"), True, False),  # HS-11
        (Timeout("x"), True, False),
        (ServerError(500), True, False),
        (ServerError(501), False, False),
        (ServerError(502), True, False),
        (ServerError(503), True, False),
        (ServerError(503, retry_after=5.0), True, True),
        (ServerError(504), True, False),
        (ServerError(505), False, False),
        (ServerError(520), True, False),  # HS-09
        (ServerError(599), True, False),
        (RateLimited(429), True, True),
        (RateLimited(429, "CMN-304"), True, True),
        (refused_by_ourselves(), False, False),
        (InvalidRequest(400), False, False),
        (AuthError(401), False, False),
        (PermissionDenied(403), False, False),
        (NotFound(404), False, False),
        (InvalidRequest(408), True, False),  # HS-10
        (InvalidRequest(425), True, False),
        (InvalidRequest(418), False, False),
        (ApiError(302), False, False),
        (DecodeError("x"), True, False),
        (UsageError("x"), False, False),
    ],
)
def test_what_is_tried_again(error: PresenceError, read: bool, write: bool) -> None:
    assert again(error) is read
    assert again(error, write=True) is write


@pytest.mark.parametrize("error", [DecodeError("x"), InvalidRequest(408), InvalidRequest(425)])
def test_what_is_tried_again_only_once(error: PresenceError) -> None:
    assert not again(error, 2)


@given(st.floats(0, 1), st.integers(1, 8))
def test_waits_double_and_are_spread(chance: float, attempt: int) -> None:
    wait = decide(ServerError(500), attempt, write=False, chance=chance)
    assert wait is not None
    assert 2.0 ** (attempt - 1) <= wait <= 2.0**attempt


def test_retry_after_is_never_undercut_hs01() -> None:
    assert decide(ServerError(503, retry_after=30.0), 1, write=False, chance=0.0) == 30.0
    assert decide(ServerError(503, retry_after=0.0), 3, write=False, chance=1.0) == 8.0


def test_the_gate_waits_for_a_quota_and_the_call_for_a_duplicate() -> None:
    assert decide(RateLimited(429, retry_after=60.0), 1, write=False, chance=1.0) == 0.0
    assert decide(RateLimited(429, "CMN-304"), 1, write=False, chance=1.0) == 2.0


@pytest.mark.parametrize("calls", [100, 1000, 10_000])
def test_the_budget_bounds_an_outage_hs12(calls: int) -> None:
    budget = Budget()
    spent = 0
    for _ in range(calls):
        budget.earn()
        spent += sum(budget.spend() for _ in range(3))
    assert 0 < spent <= 0.2 * calls


def test_the_budget_lets_a_small_script_try_again() -> None:
    budget = Budget()
    assert all(budget.spend() for _ in range(10))
    assert not budget.spend()
    assert not Budget().spend(11)
