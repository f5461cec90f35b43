"""Counting requests in a sliding window."""

from aiopresence.sandbox.quota import LIMITS, Quota


def test_remaining_falls_with_each_request_and_not_below_zero() -> None:
    quota = Quota()
    left = [quota.charge(float(at), "a", "Auth").remaining for at in range(7)]
    assert left == [4, 3, 2, 1, 0, 0, 0]


def test_a_request_counts_for_exactly_one_window() -> None:
    quota = Quota()
    quota.charge(0.0, "a", "Heavy")
    assert quota.charge(59.9, "a", "Heavy").remaining == 8
    assert quota.charge(60.0, "a", "Heavy").remaining == 8


def test_callers_and_groups_are_counted_apart() -> None:
    quota = Quota()
    quota.charge(0.0, "a", "Light")
    for group, limit in LIMITS.items():
        assert quota.charge(1.0, "b", group).remaining == limit - 1


def test_the_headers_say_how_the_group_stands() -> None:
    assert Quota().charge(0.0, "a", "Medium").headers == {
        "X-Rate-Limit-Group": "medium",
        "X-Rate-Limit-Limit": "40",
        "X-Rate-Limit-Remaining": "39",
        "X-Rate-Limit-Window": "60",
    }
