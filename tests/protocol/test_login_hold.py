from aiopresence import ApiError, AuthError, RateLimited, ServerError
from aiopresence.protocol.login_hold import (
    MAX_REJECTED,
    REFUSAL_HOLD,
    LoginHold,
    RejectedTokens,
    auth_error,
)


def refusal() -> AuthError:
    return auth_error(AuthError(400, "OAU-153"), final=True)


def test_no_login_is_held_back_at_first() -> None:
    hold = LoginHold()
    assert hold.remaining(0.0) < 0
    assert not hold.is_final


def test_the_longest_hold_counts() -> None:
    hold = LoginHold()
    hold.add(ServerError(503), 0.0, 60.0)
    hold.add(RateLimited(429), 0.0, 30.0)
    assert hold.remaining(10.0) == 50.0
    error = hold.error(10.0)
    assert (type(error), error.retry_after) == (ServerError, 50.0)


def test_each_call_raises_an_error_of_its_own() -> None:
    hold = LoginHold()
    hold.add(ServerError(503), 0.0, 60.0)
    assert hold.error(0.0) is not hold.error(0.0)
    assert hold.error(60.0).retry_after is None


def test_refused_credentials_hold_until_a_new_session() -> None:
    hold = LoginHold()
    hold.add_refusal(refusal(), 0.0)
    assert hold.is_final
    assert hold.remaining(0.0) == REFUSAL_HOLD
    hold.forget_refusal()
    assert hold.remaining(0.0) < 0


def test_a_new_session_does_not_end_another_hold() -> None:
    hold = LoginHold()
    hold.add(ServerError(503), 0.0, 60.0)
    hold.forget_refusal()
    assert hold.remaining(0.0) == 60.0


def test_tokens_rejected_early_again_and_again_hold_longer_each_time() -> None:
    hold, error = LoginHold(), ApiError(401)
    waits = [hold.add_early_rejection(error, now, now, 1.0) for now in (0.0, 1.0, 2.0, 3.0)]
    assert waits == [0.0, 1.0, 2.0, 4.0]
    raised = hold.error(3.0)
    assert isinstance(raised, AuthError)
    assert not raised.final
    assert hold.add_early_rejection(error, 100.0, 0.0, 1.0) == 0.0  # it lasted
    hold.add_early_rejection(error, 101.0, 101.0, 1.0)
    hold.forget_early_rejections()
    assert hold.add_early_rejection(error, 102.0, 102.0, 1.0) == 0.0


def test_the_latest_rejected_tokens_are_remembered() -> None:
    rejected = RejectedTokens()
    for number in range(MAX_REJECTED + 1):
        rejected.add(str(number))
    assert "0" not in rejected
    assert "1" in rejected
    assert str(MAX_REJECTED) in rejected


def test_a_token_is_rejected_early_within_the_hold_of_a_refusal_only() -> None:
    hold, error = LoginHold(), ApiError(401)
    hold.add_early_rejection(error, 0.0, 0.0, 1.0)
    assert hold.add_early_rejection(error, REFUSAL_HOLD, 0.0, 1.0) == 0.0
    assert hold.add_early_rejection(error, 2 * REFUSAL_HOLD - 0.1, REFUSAL_HOLD, 1.0) == 1.0


def test_of_two_holds_that_end_together_the_later_one_counts() -> None:
    hold = LoginHold()
    hold.add(ServerError(503), 0.0, 60.0)
    hold.add(RateLimited(429), 30.0, 30.0)
    assert type(hold.error(30.0)) is RateLimited
    assert hold.error(59.5).retry_after == 0.5


def test_a_rejected_token_is_an_error_of_the_login_with_all_that_the_server_said() -> None:
    error = ApiError(400, "OAU-128", "expired", "token", "R1", 5.0, "body")
    names = ("http_status", "error_code", "message", "parameter_name", "request_id")
    for final in (True, False):
        copied = auth_error(error, final=final)
        assert copied.final is final
        assert [getattr(copied, name) for name in names] == [
            *(401, "OAU-128", "expired", "token", "R1")
        ]
        assert copied.retry_after is None
