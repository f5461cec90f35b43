"""The usage plan: its rules, and the responses that clients get."""

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, strategies as st

from aiopresence.errors import UsageError
from aiopresence.sandbox import Answer, Change, Counters, Sandbox
from aiopresence.sandbox.rate_limits import LIMITS, Quota, UsagePlan
from tests.support.sandbox_raw import REVOKE_PATH, HandClock, ask_for_token, calling, log_in

PATH = "extension/~/presence"


def test_remaining_falls_with_each_request_until_they_are_refused() -> None:
    quota = Quota(UsagePlan())
    standings = [quota.charge(float(at), "Auth") for at in range(7)]
    assert [each.remaining for each in standings] == [4, 3, 2, 1, 0, 0, 0]
    assert [each.refused for each in standings] == [False] * 5 + [True] * 2
    assert [each.in_penalty for each in standings] == [False] * 6 + [True]


def test_a_request_counts_for_exactly_one_window() -> None:
    quota = Quota(UsagePlan())
    quota.charge(0.0, "Heavy")
    assert quota.charge(59.9, "Heavy").remaining == 8
    assert quota.charge(60.0, "Heavy").remaining == 8


def test_the_window_slides() -> None:
    quota = Quota(UsagePlan(limits={"Heavy": 2}, penalty=0.0))
    arrivals = (0.0, 30.0, 59.0, 60.0, 61.0, 90.0)
    refused = [quota.charge(at, "Heavy").refused for at in arrivals]
    assert refused == [False, False, True, False, True, False]


def test_groups_are_counted_apart() -> None:
    quota = Quota(UsagePlan())
    for group, limit in LIMITS.items():
        assert quota.charge(1.0, group).remaining == limit - 1


@given(gaps=st.lists(st.sampled_from([0.0, 0.25, 1.0, 4.0, 9.75, 10.0, 25.0]), max_size=60))
@pytest.mark.parametrize("penalty", [0.0, 3.0, 30.0])
def test_no_window_ever_has_more_than_its_limit(penalty: float, gaps: list[float]) -> None:
    quota = Quota(UsagePlan(window=10.0, limits={"Light": 3}, penalty=penalty))
    arrivals = list(accumulate(gaps))
    passed = [at for at in arrivals if not quota.charge(at, "Light").refused]
    assert all(sum(at - 10.0 < other <= at for other in passed) <= 3 for at in passed)


def test_a_penalty_lasts_and_every_request_in_it_starts_it_again() -> None:
    quota = Quota(UsagePlan(limits={"Heavy": 1}))
    assert not quota.charge(0.0, "Heavy").refused
    assert quota.charge(1.0, "Heavy").refused
    assert quota.charge(60.9, "Heavy").in_penalty
    assert quota.charge(120.8, "Heavy").in_penalty  # 119.8 s after the first 429
    assert not quota.charge(180.8, "Heavy").refused
    assert not quota.charge(121.0, "Light").refused


def test_refused_requests_do_not_count_in_the_window() -> None:
    quota = Quota(UsagePlan(limits={"Heavy": 1}, penalty=0.0))
    quota.charge(0.0, "Heavy")
    assert [quota.charge(at, "Heavy").refused for at in (10.0, 59.0, 60.0)] == [True, True, False]


def test_a_penalty_may_be_longer_or_shorter_than_the_window() -> None:
    longer = Quota(UsagePlan(window=1.0, limits={"Heavy": 1}, penalty=5.0))
    longer.charge(0.0, "Heavy")
    longer.charge(0.5, "Heavy")
    late = longer.charge(3.0, "Heavy")
    assert (late.refused, late.in_penalty, late.remaining) == (True, True, 0)
    shorter = Quota(UsagePlan(window=10.0, limits={"Heavy": 1}, penalty=1.0))
    shorter.charge(0.0, "Heavy")
    shorter.charge(0.5, "Heavy")
    late = shorter.charge(3.0, "Heavy")
    assert (late.refused, late.in_penalty) == (True, False)


def test_the_headers_have_the_quota_of_the_group() -> None:
    plan = UsagePlan()
    quota_state = Quota(plan).charge(0.0, "Medium")
    assert plan.headers(quota_state) == {
        "X-Rate-Limit-Group": "medium",
        "X-Rate-Limit-Limit": "40",
        "X-Rate-Limit-Remaining": "39",
        "X-Rate-Limit-Window": "60",
    }


@pytest.mark.parametrize(
    ("window", "written"),
    [(60.0, "60"), (600.0, "600"), (1, "1"), (0.5, "0.5"), (2.25, "2.25"), (1e6, "1000000")],
)
def test_the_window_is_formatted_without_trailing_zeros(window: float, written: str) -> None:
    plan = UsagePlan(window=window)
    headers = plan.headers(Quota(plan).charge(0.0, "Light"))
    assert headers["X-Rate-Limit-Window"] == written


@pytest.mark.parametrize(
    ("window", "penalty", "seconds"),
    [(60.0, None, "60"), (0.5, None, "1"), (60.0, 0.0, "1"), (1.0, 2.5, "3"), (60.0, 7.0, "7")],
)
def test_retry_after_is_in_whole_seconds(
    window: float, penalty: float | None, seconds: str
) -> None:
    assert UsagePlan(window, None, penalty).refusal().headers["Retry-After"] == seconds


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 0.0}, {"window": -1.0}, {"window": float("nan")}, {"window": float("inf")},
        {"penalty": -1.0}, {"penalty": float("nan")}, {"penalty": float("inf")},
        {"limits": {"light": 5}}, {"limits": {"Light": 0}}, {"limits": {"Heavy": -1}},
        {"token_lifetime": 0.0}, {"token_lifetime": float("nan")},
    ],
)  # fmt: skip
def test_invalid_plans_are_usage_errors(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Sandbox(1, **wrong)


async def test_a_refused_request_has_no_effect() -> None:
    clock = HandClock()
    async with calling(Sandbox(1, limits={"Medium": 1}, clock=clock)) as call:
        first = await call.put(PATH, {"message": "one"})
        assert first.headers["X-Rate-Limit-Remaining"] == "0"
        got = await call.put(PATH, {"message": "two"})
        error = {"errorCode": "CMN-301", "message": "Request rate exceeded"}
        assert (got.status, got.json) == (429, {**error, "errors": [error]})
        assert (got.headers["Retry-After"], got.headers["X-Rate-Limit-Remaining"]) == ("60", "0")
        assert got.headers["X-Rate-Limit-Group"] == "medium"
        assert got.headers["RCRequestId"]
        assert (await call.get(PATH)).json["message"] == "one"
        clock.now += 59.0
        assert (await call.put(PATH, {})).status == 429
        clock.now += 59.0
        assert (await call.put(PATH, {})).status == 429
        clock.now += 60.0
        assert (await call.put(PATH, {"message": "three"})).status == 200
        assert call.sandbox.counters == Counters(3, 2, 1, 1)


async def test_a_429_can_lack_headers_and_json() -> None:
    plain = Sandbox(1, limits={"Heavy": 1}, rate_headers=False, retry_after=False, html_429=True)
    async with calling(plain) as call:
        for _ in range(2):
            got = await call.get("presence")
        assert (got.status, got.headers["Content-Type"]) == (429, "text/html")
        assert got.body.startswith(b"<html>")
        assert not {"Retry-After", "X-Rate-Limit-Group"} & set(got.headers)
        assert got.headers["RCRequestId"]
        assert "X-Rate-Limit-Group" not in (await call.get(PATH)).headers


async def test_faults_do_not_hide_requests_from_the_quota() -> None:
    async with calling(Sandbox(1, limits={"Light": 2})) as call:
        rule = call.sandbox.faults.add(Answer(503), times=3)
        got = [await call.get(PATH) for _ in range(3)]
        assert [each.status for each in got] == [503] * 3
        assert [each.headers["X-Rate-Limit-Remaining"] for each in got] == ["1", "0", "0"]
        assert rule.fired == 3
        assert call.sandbox.counters.rate_limited == 0
        assert (await call.get(PATH)).status == 429
        assert (call.sandbox.counters.rate_limited, call.sandbox.counters.in_penalty) == (1, 1)


async def test_a_fault_that_uses_the_real_response_gets_the_429() -> None:
    async with calling(Sandbox(1, limits={"Light": 1})) as call:
        await call.get(PATH)
        call.sandbox.faults.add(Change(headers={"Retry-After": "soon"}))
        got = await call.get(PATH)
        assert (got.status, got.headers["Retry-After"]) == (429, "soon")
        assert call.sandbox.counters.rate_limited == 1


async def test_logins_have_their_own_group() -> None:
    async with calling(Sandbox(1, limits={"Auth": 2})) as call:
        assert (await log_in(call.sandbox, call.http, assertion="no")).status == 400
        got = await log_in(call.sandbox, call.http)
        assert (got.status, got.json["errorCode"]) == (429, "CMN-301")
        assert (await call.get(PATH)).status == 200
        counters = call.sandbox.counters
        assert (counters.token_requests, counters.logins, counters.rate_limited) == (3, 1, 1)


async def test_requests_without_a_group_or_token_do_not_count() -> None:
    async with calling(Sandbox(1, limits={"Light": 1, "Auth": 1})) as call:
        for _ in range(3):
            assert (await call.get("/nowhere")).status == 404
            assert (await call.get(PATH, Authorization="Bearer wrong")).status == 401
            assert (await call("DELETE", PATH)).status == 405
            form = {"token": "wrong"}
            revoked = await ask_for_token(call.sandbox, call.http, form, path=REVOKE_PATH)
            assert (revoked.status, revoked.body) == (200, b"")
            assert "X-Rate-Limit-Group" not in revoked.headers
        assert (await call.get(PATH)).headers["X-Rate-Limit-Remaining"] == "0"


async def test_consume_uses_up_the_quota() -> None:
    clock = HandClock()
    async with calling(Sandbox(1, clock=clock)) as call:
        call.sandbox.consume("Light")
        assert (await call.get(PATH)).headers["X-Rate-Limit-Remaining"] == "48"
        call.sandbox.consume("Light", 48)
        assert call.sandbox.counters == Counters(token_requests=1, logins=1)
        assert (await call.get(PATH)).status == 429
        clock.now += 60.0
        call.sandbox.consume("Light", 51)  # the penalty is everybody's
        clock.now += 59.0
        assert (await call.get(PATH)).status == 429
        assert (call.sandbox.counters.rate_limited, call.sandbox.counters.in_penalty) == (2, 1)


@pytest.mark.parametrize(("group", "requests"), [("light", 1), ("", 1), ("Light", 0)])
def test_invalid_arguments_of_consume_are_usage_errors(group: str, requests: int) -> None:
    with pytest.raises(
        UsageError, match=r"group must be one of Light, Medium, Heavy, Auth|requests must be"
    ):
        Sandbox(1).consume(group, requests)


def test_counters_are_a_copy() -> None:
    sandbox = Sandbox(1)
    sandbox.counters.logins += 1
    assert sandbox.counters == Counters()
