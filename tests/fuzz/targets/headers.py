"""Headers about rate limits, from any number of responses of a login."""

from math import isfinite

from aiopresence.protocol import rate_limit_headers as limits
from aiopresence.protocol.rate_limit_groups import MAX_GROUPS, RateLimits
from aiopresence.protocol.rate_limits import MAX_PENALTY, ROUNDING
from tests.fuzz.choices import Choices, mutated_text

GROUPS = ("Light", "light", "Heavy", "Auth", "", "x" * 33, "\x1b[31m", "A_b-c 1", "\u0130")
NUMBERS = (
    *("50", "0", "-1", "1e9", "999999999", "9" * 10, "9" * 5000, "\u0661", "nan", "inf", "60000"),
    *("60", "0.5", "3600", " 5 ", "", "5, 60", "5,60", "60.0001", "0.001"),
)
DATES = (
    *("Mon, 02 Mar 2026 09:00:00 GMT", "Mon, 02 Mar 2026 08:59:00 GMT", "x", "", " "),
    *("1 Jan 0001 00:00:00 +2359", "31 Dec 9999 23:59:59 -2359", "Mon, 02 Mar 2026 09:00:00"),
    *("1 Jan 99999999999 0:0:0 +0", "Mon, 99 Foo 20 99:99:99 +99999999999999999", ",", "a.b.c"),
)
NAMES = ("group", "limit", "remaining", "window")


def rate_limit_headers(data: bytes) -> None:
    """Whatever responses state, the limits stay within bounds and every wait is finite."""
    choices = Choices(data)
    known, now = RateLimits(), 1000.0
    for _ in range(1 + choices.below(8)):
        now += choices.pick((0.0, 0.1, 61.0, 4000.0))
        headers = _headers(choices)
        _check_headers(headers)
        group = known.group("read", "Light")
        slot = group.take(now)
        if choices.rarely():
            known.apply_429(now, group, headers)
        known.complete(now, "read", group, slot, headers, refused=choices.flag())
        for name, state in known.snapshot(now).items():
            assert name.isascii()
            assert name.isprintable()
            assert 1 <= state.limit <= limits.MAX_LIMIT
            assert 0 < state.window <= limits.MAX_STATED_WINDOW
            assert 0 <= state.blocked_for <= MAX_PENALTY + limits.MAX_STATED_WINDOW + ROUNDING
        delay = known.delay(known.group("read", "Light"), now)
        assert 0 <= delay <= MAX_PENALTY + limits.MAX_STATED_WINDOW + ROUNDING
    assert len(known.snapshot(now)) <= MAX_GROUPS + 1


def _headers(choices: Choices) -> dict[str, str]:
    prefix = choices.pick(("x-rate-limit-", "x-ratelimit-"))
    headers = {f"{prefix}group": mutated_text(choices, choices.pick(GROUPS))}
    for name in NAMES[1:]:
        if choices.flag():
            headers[prefix + name] = mutated_text(choices, choices.pick(NUMBERS))
    if choices.flag():
        headers["retry-after"] = mutated_text(choices, choices.pick((*NUMBERS, *DATES)))
    if choices.flag():
        headers["date"] = mutated_text(choices, choices.pick(DATES))
    return headers if choices.below(8) < 7 else {}


def _check_headers(headers: dict[str, str]) -> None:
    stated = limits.read_limits(headers)
    assert stated.limit is None or 1 <= stated.limit <= limits.MAX_LIMIT
    assert stated.window is None or 0 < stated.window <= limits.MAX_STATED_WINDOW
    assert stated.remaining is None or 0 <= stated.remaining < 10**9
    group = limits.group_of(headers)
    assert group is None or (group.isascii() and group.isprintable() and 0 < len(group) <= 32)
    seconds = limits.retry_after(headers)
    assert seconds is None or (isfinite(seconds) and seconds >= 0)
