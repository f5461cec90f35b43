import pytest

from aiopresence import GroupLimits
from aiopresence.protocol.limits import Group

HEADERS = {
    "x-rate-limit-group": "light",
    "x-rate-limit-limit": "50",
    "x-rate-limit-remaining": "49",
    "x-rate-limit-window": "60",
}


def test_a_group_learns_from_headers() -> None:
    group = Group()
    assert group.view(0.0) == GroupLimits()
    group.settle(0.0, 200, HEADERS)
    assert group.view(0.0) == GroupLimits(50, 49, 60.0, 0.0)


@pytest.mark.parametrize("text", ["", "-1", "many", "\u0665", "9" * 400, "1.5"])
def test_odd_numbers_are_ignored_rl15(text: str) -> None:
    group = Group()
    group.settle(0.0, 200, HEADERS)
    group.settle(0.0, 200, {**HEADERS, "x-rate-limit-limit": text, "x-rate-limit-window": text})
    assert group.view(0.0) == GroupLimits(50, 49, 60.0, 0.0)


@pytest.mark.parametrize(("headers", "seconds"), [({"retry-after": "45"}, 45.0), ({}, 30.0)])
def test_a_429_blocks_the_group_for_a_while(headers: dict[str, str], seconds: float) -> None:
    group = Group()
    group.settle(100.0, 429, headers)
    assert group.view(110.0).blocked_for == seconds - 10.0
    assert group.view(100.0 + seconds).blocked_for == 0.0
