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
    SessionLost,
    Timeout,
    UsageError,
)
from aiopresence.protocol.failure_policy import POLICY, Action, Kind, kind_of, policy_for
from aiopresence.protocol.retry import (
    SECOND_CHANCE_DELAY,
    Backoff,
    RestartPolicy,
    RetryBudget,
    is_permanent,
    retry_delay,
)

RETRY, ONCE, CONFIRM, THIS_ID, STOP = "retry", "retry once", "confirm", "this id", "stop"


def auth_error(*, final: bool) -> AuthError:
    error = AuthError(401)
    error.final = final
    return error


def held_back() -> RateLimited:
    error = RateLimited(429)
    error.sent = False
    return error


UNSENT, UNTRUSTED = ConnectionFailed("x", sent=False), ConnectionFailed("x", sent=False, final=True)

# What is done about each error in each context: while reading, writing and logging in; by what
# runs until it is stopped (a board, a stream, polling, a webhook), before and after it has worked
# once, and when its event filters are refused; and when it is the answer about one id of a board.
DECISIONS: list[tuple[PresenceError, str, str, str, str, str, str, str]] = [
    # error, read, write, login, before, after, filters, one id
    (UNSENT, RETRY, RETRY, RETRY, RETRY, RETRY, RETRY, RETRY),
    (ConnectionFailed("broke"), RETRY, STOP, RETRY, RETRY, RETRY, RETRY, RETRY),
    (UNTRUSTED, STOP, STOP, STOP, STOP, RETRY, RETRY, RETRY),
    (Timeout("x"), RETRY, STOP, RETRY, RETRY, RETRY, RETRY, RETRY),
    (DecodeError("x"), ONCE, STOP, RETRY, RETRY, RETRY, RETRY, RETRY),
    (auth_error(final=True), STOP, STOP, STOP, STOP, CONFIRM, CONFIRM, RETRY),
    (auth_error(final=False), STOP, STOP, STOP, RETRY, RETRY, RETRY, RETRY),
    (PermissionDenied(403), STOP, STOP, STOP, STOP, CONFIRM, CONFIRM, THIS_ID),
    (NotFound(404), STOP, STOP, STOP, STOP, RETRY, CONFIRM, THIS_ID),
    (NotFound(404, "SUB-505"), STOP, STOP, STOP, STOP, RETRY, RETRY, THIS_ID),
    (InvalidRequest(400), STOP, STOP, STOP, STOP, RETRY, CONFIRM, THIS_ID),
    (InvalidRequest(400, "SUB-508"), STOP, STOP, STOP, STOP, RETRY, CONFIRM, THIS_ID),
    (InvalidRequest(400, "SUB-505"), STOP, STOP, STOP, STOP, RETRY, RETRY, THIS_ID),
    (InvalidRequest(400, "SUB-525"), STOP, STOP, STOP, STOP, RETRY, RETRY, THIS_ID),
    (InvalidRequest(410), STOP, STOP, STOP, STOP, RETRY, CONFIRM, THIS_ID),
    (InvalidRequest(409), STOP, STOP, STOP, STOP, RETRY, CONFIRM, RETRY),
    (InvalidRequest(418), STOP, STOP, STOP, STOP, RETRY, CONFIRM, RETRY),
    (InvalidRequest(408), ONCE, STOP, ONCE, RETRY, RETRY, RETRY, RETRY),
    (InvalidRequest(425), ONCE, STOP, ONCE, RETRY, RETRY, RETRY, RETRY),
    (RateLimited(429), RETRY, RETRY, RETRY, RETRY, RETRY, RETRY, RETRY),
    (RateLimited(429, "CMN-304"), RETRY, RETRY, RETRY, RETRY, RETRY, RETRY, RETRY),
    (held_back(), STOP, STOP, STOP, RETRY, RETRY, RETRY, RETRY),
    (ServerError(500), RETRY, STOP, RETRY, RETRY, RETRY, RETRY, RETRY),
    (ServerError(500, retry_after=5.0), RETRY, STOP, RETRY, RETRY, RETRY, RETRY, RETRY),
    (ServerError(501), STOP, STOP, STOP, RETRY, RETRY, RETRY, RETRY),
    (ServerError(502), RETRY, STOP, RETRY, RETRY, RETRY, RETRY, RETRY),
    (ServerError(503), RETRY, STOP, RETRY, RETRY, RETRY, RETRY, RETRY),
    (ServerError(503, retry_after=0.0), RETRY, STOP, RETRY, RETRY, RETRY, RETRY, RETRY),
    (ServerError(503, retry_after=5.0), RETRY, RETRY, RETRY, RETRY, RETRY, RETRY, RETRY),
    (ServerError(504), RETRY, STOP, RETRY, RETRY, RETRY, RETRY, RETRY),
    (ServerError(505), STOP, STOP, STOP, RETRY, RETRY, RETRY, RETRY),
    (ServerError(511), STOP, STOP, STOP, RETRY, RETRY, RETRY, RETRY),
    (ServerError(520), RETRY, STOP, RETRY, RETRY, RETRY, RETRY, RETRY),
    (ServerError(599), RETRY, STOP, RETRY, RETRY, RETRY, RETRY, RETRY),
    (ApiError(302), STOP, STOP, STOP, RETRY, RETRY, RETRY, RETRY),
    (SessionLost("x"), STOP, STOP, STOP, STOP, RETRY, RETRY, RETRY),
    (UsageError("x"), STOP, STOP, STOP, STOP, STOP, STOP, RETRY),
    (PresenceError("x"), STOP, STOP, STOP, RETRY, RETRY, RETRY, RETRY),
]


def test_the_policy_and_this_table_cover_every_kind_of_error() -> None:
    assert POLICY.keys() == set(Kind) == {kind_of(row[0]) for row in DECISIONS}


def request_decision(error: PresenceError, *, write: bool = False, login: bool = False) -> str:
    first, second = (
        retry_delay(error, attempt, write=write, login=login, chance=0.5) for attempt in (1, 2)
    )
    if first is None:
        return STOP
    return ONCE if second is None else RETRY


def task_decision(
    policy: RestartPolicy, error: PresenceError, *, about_filters: bool = False
) -> str:
    first = policy.delay(error, 0.0, about_filters=about_filters)
    second = policy.delay(error, 60.0, about_filters=about_filters)
    if first is None:
        return STOP
    return CONFIRM if second is None else RETRY


@pytest.mark.fault
@pytest.mark.parametrize("row", DECISIONS, ids=lambda row: repr(row[0]))
def test_each_error_in_each_context(
    row: tuple[PresenceError, str, str, str, str, str, str, str],
) -> None:
    error, read, write, login, before, after, filters, one_id = row
    assert request_decision(error) == read
    assert request_decision(error, write=True) == write
    assert request_decision(error, login=True) == login
    assert task_decision(RestartPolicy(), error) == before
    assert task_decision(healthy(), error) == after
    assert task_decision(healthy(), error, about_filters=True) == filters
    assert policy_for(error).record is {THIS_ID: Action.SKIP_ID, RETRY: Action.RETRY}[one_id]
    assert is_permanent(error) == (after == CONFIRM)


@given(st.floats(0, 1), st.integers(1, 8))
def test_retry_delays_double_and_have_jitter(chance: float, attempt: int) -> None:
    wait = retry_delay(ServerError(500), attempt, write=False, chance=chance)
    assert wait is not None
    assert 2.0 ** (attempt - 1) <= wait <= 2.0**attempt


@given(st.floats(0, 1), st.integers(1, 10_000))
def test_a_backoff_doubles_up_to_its_longest_delay(chance: float, failures: int) -> None:
    fixed, half, full = (Backoff(1.0, 120.0, jitter) for jitter in (0.0, 0.5, 1.0))
    delay = min(120.0, 2.0 ** min(failures - 1, 10))
    assert fixed.delay(failures, chance) == delay
    assert delay / 2 <= half.delay(failures, chance) <= delay
    assert full.delay(failures, chance) == pytest.approx(chance * delay)


def test_a_backoff_does_not_delay_before_the_first_failure() -> None:
    assert Backoff(1.0, 120.0, 0.5).delay(0, 0.5) == 0.0


@pytest.mark.fault
def test_a_delay_is_not_less_than_retry_after() -> None:
    assert retry_delay(ServerError(503, retry_after=30.0), 1, write=False, chance=0.0) == 30.0
    assert retry_delay(ServerError(503, retry_after=0.0), 3, write=False, chance=1.0) == 8.0


def test_only_a_duplicate_request_is_delayed_after_a_429() -> None:
    assert retry_delay(RateLimited(429, retry_after=60.0), 1, write=False, chance=1.0) == 0.0
    assert retry_delay(RateLimited(429, "CMN-304"), 1, write=False, chance=1.0) == 2.0


@pytest.mark.fault
@pytest.mark.parametrize("calls", [100, 1000, 10_000])
def test_the_budget_limits_retries_in_an_outage(calls: int) -> None:
    budget = RetryBudget()
    spent = 0
    for _ in range(calls):
        budget.earn()
        spent += sum(budget.spend() for _ in range(3))
    assert 0 < spent <= 0.2 * calls


def test_the_budget_allows_a_small_script_some_retries() -> None:
    budget = RetryBudget()
    assert all(budget.spend() for _ in range(10))
    assert not budget.spend()
    assert not RetryBudget().spend(11)


# When a long-running task stops.


DENIED = PermissionDenied(403)
REFUSED = auth_error(final=True)
TRANSIENT: list[PresenceError] = [
    auth_error(final=False),
    ConnectionFailed("x"),
    Timeout("x"),
    ServerError(503),
    RateLimited(429),
    DecodeError("x"),
    InvalidRequest(408),
]
# Stops a task that has never worked, but not one that has.
AT_FIRST: list[PresenceError] = [
    UNTRUSTED,
    SessionLost("x"),
    InvalidRequest(400),
    NotFound(404),
]


def healthy() -> RestartPolicy:
    policy = RestartPolicy()
    policy.record_success()
    return policy


@pytest.mark.parametrize("error", [DENIED, REFUSED, UsageError("x"), *AT_FIRST], ids=repr)
def test_a_task_that_has_never_worked_stops_at_its_first_refusal(error: PresenceError) -> None:
    assert RestartPolicy().delay(error, 0.0) is None


@pytest.mark.parametrize("error", TRANSIENT, ids=repr)
def test_a_transient_error_stops_no_task(error: PresenceError) -> None:
    for policy in (RestartPolicy(), healthy()):
        assert [policy.delay(error, now) for now in range(0, 7200, 60)] == [0.0] * 120


@pytest.mark.parametrize("error", AT_FIRST, ids=repr)
def test_a_task_that_has_worked_goes_on_after_other_refusals(error: PresenceError) -> None:
    policy = healthy()
    assert [policy.delay(error, now) for now in range(0, 7200, 60)] == [0.0] * 120


@pytest.mark.parametrize("error", [DENIED, REFUSED], ids=repr)
def test_a_confirmed_refusal_stops_a_task_that_has_worked(error: PresenceError) -> None:
    policy = healthy()
    assert policy.delay(error, 1000.0) == SECOND_CHANCE_DELAY
    assert policy.delay(error, 1000.0 + SECOND_CHANCE_DELAY) is None


@pytest.mark.parametrize("code", ["SUB-508", "SUB-402", "CMN-101", None])
@pytest.mark.parametrize("kind", [InvalidRequest, NotFound])
def test_a_confirmed_refusal_of_filters_stops_a_task_that_has_worked(
    code: str | None, kind: type[ApiError]
) -> None:
    policy, error = healthy(), kind(400, code)
    assert policy.delay(error, 0.0, about_filters=True) == SECOND_CHANCE_DELAY
    assert policy.delay(error, SECOND_CHANCE_DELAY, about_filters=True) is None


@pytest.mark.parametrize("code", ["SUB-505", "SUB-525"])
def test_a_subscription_that_is_refused_for_now_stops_no_task(code: str) -> None:
    policy, error = healthy(), InvalidRequest(400, code)
    assert [policy.delay(error, now, about_filters=True) for now in range(0, 600, 60)] == [0] * 10


def test_refusals_before_the_second_chance_confirm_nothing() -> None:
    policy = healthy()
    waits = [policy.delay(DENIED, now) for now in (0.0, 0.1, 5.0, 59.0)]
    assert waits == [60.0, 59.9, 55.0, 1.0]
    assert policy.delay(DENIED, 60.0) is None


@pytest.mark.parametrize("other", [*TRANSIENT, *AT_FIRST, REFUSED], ids=repr)
def test_another_error_confirms_no_refusal(other: PresenceError) -> None:
    policy = healthy()
    assert policy.delay(DENIED, 0.0) == 60.0
    assert policy.delay(other, 61.0) is not None
    assert policy.delay(DENIED, 62.0) is None


def test_a_success_resets_refusals() -> None:
    policy = healthy()
    for now in range(0, 6000, 60):
        assert policy.delay(DENIED, now) == 60.0
        policy.record_success()


@pytest.mark.fault
def test_a_task_waits_at_least_for_retry_after() -> None:
    policy = healthy()
    assert policy.delay(ServerError(503, retry_after=7.0), 0.0) == 7.0
    assert policy.delay(PermissionDenied(403, retry_after=100.0), 0.0) == 100.0
    assert policy.delay(PermissionDenied(403, retry_after=7.0), 10.0) == 50.0


def test_retry_after_is_limited() -> None:
    error = ServerError(503, retry_after=1e9)
    assert healthy().delay(error, 0.0) == RestartPolicy().delay(error, 0.0) == 600.0


def test_ten_calls_earn_a_retry_up_to_the_reserve() -> None:
    budget = RetryBudget()
    assert budget.spend(10)
    assert not budget.spend()
    for _ in range(11):  # A tenth is no exact number.
        budget.earn()
    assert budget.spend()
    assert not budget.spend()
    for _ in range(1000):
        budget.earn()
    assert budget.spend(10)
    assert not budget.spend()


def test_a_request_is_no_login_unless_it_says_so() -> None:
    assert retry_delay(auth_error(final=False), 1, write=False, chance=0.5) is None
    early = DecodeError("x")
    assert retry_delay(early, 2, write=False, chance=0.5) is None
    assert retry_delay(early, 2, write=False, chance=0.5, login=True) is not None


def test_the_first_status_beyond_the_registered_ones_is_an_outage() -> None:
    assert kind_of(ServerError(511)) is Kind.OTHER_5XX
    assert kind_of(ServerError(512)) is Kind.OUTAGE
