from math import inf
from typing import Any

import pytest

from aiopresence import GroupLimits, UsageError
from aiopresence.protocol.rate_limit_groups import (
    MAX_CALLS,
    MAX_GROUPS,
    LimitsByGroup,
    RateLimits,
    parse_presets,
)
from aiopresence.protocol.rate_limits import MAX_WINDOW

LIGHT = {"x-rate-limit-group": "light", "x-rate-limit-limit": "7"}


@pytest.mark.fault
def test_the_expected_group_is_corrected_by_the_response() -> None:
    limits = RateLimits()
    limits.add_presets({"Presence": GroupLimits(3)})
    light = limits.group("GET X", "Light")
    assert light.limit == 50
    limits.complete(0.0, "GET X", light, light.take(0.0), LIGHT)
    assert (light.limit, light.in_flight) == (7, 0)
    renamed = {"x-rate-limit-group": "PRESENCE", "x-rate-limit-remaining": "1"}
    limits.complete(1.0, "GET X", light, light.take(0.0), renamed)
    presence = limits.group("GET X", "Light")
    assert presence is limits.group("GET Z", "Presence")
    assert limits.group("GET Y", "Light") is light
    assert light.in_flight == presence.in_flight == 0
    assert limits.snapshot(1.0)["Presence"].remaining == 1


@pytest.mark.fault
def test_a_429_blocks_its_group_or_all_if_it_states_none() -> None:
    limits = RateLimits()
    light, heavy = limits.group("a", "Light"), limits.group("b", "Heavy")
    limits.apply_429(0.0, light, {**LIGHT, "retry-after": "30"})
    assert (light.delay(0.0), heavy.delay(0.0)) == (31.0, 0.0)
    limits.apply_429(0.0, light, {"retry-after": "40"})
    assert (light.delay(0.0), heavy.delay(0.0)) == (41.0, 41.0)
    assert limits.group("c", "Medium").delay(0.0) == 41.0


@pytest.mark.fault
def test_made_up_groups_do_not_fill_the_memory() -> None:
    limits = RateLimits()
    for number in range(10_000):
        group = limits.group(f"call {number}", "")
        headers = {"x-rate-limit-group": f"group {number}"}
        limits.complete(0.0, f"call {number}", group, group.take(0.0), headers)
    assert len(limits.snapshot(0.0)) <= MAX_GROUPS


def test_of_too_many_calls_in_unexpected_groups_the_first_is_forgotten() -> None:
    limits = RateLimits()
    for number in range(MAX_CALLS + 1):
        group = limits.group(f"call {number}", "Light")
        headers = {"x-rate-limit-group": "Heavy"}
        limits.complete(0.0, f"call {number}", group, group.take(0.0), headers)
    light, heavy = limits.group("a", "Light"), limits.group("a", "Heavy")
    assert limits.group("call 0", "Light") is light
    assert limits.group("call 1", "Light") is heavy


def test_a_429_with_the_other_spelling_of_the_headers_blocks_one_group() -> None:
    limits = RateLimits()
    light, heavy = limits.group("a", "Light"), limits.group("b", "Heavy")
    headers = {"x-ratelimit-limit": "7", "retry-after": "30"}
    limits.complete(0.0, "a", light, light.take(0.0), headers, refused=True)
    assert (light.delay(0.0), heavy.delay(0.0)) == (31.0, 0.0)
    assert light.limit == 7


def test_a_429_without_headers_blocks_all_groups_and_teaches_the_limit_of_its_own() -> None:
    limits = RateLimits()
    light, heavy = limits.group("a", "Light"), limits.group("b", "Heavy")
    for group in (light, light, heavy):
        limits.complete(0.0, "", group, group.take(0.0), {})
    limits.complete(0.0, "a", light, light.take(0.0), {"retry-after": "30"}, refused=True)
    assert (light.delay(0.0), heavy.delay(0.0)) == (31.0, 31.0)
    assert (light.limit, heavy.limit) == (2, 10)


def test_groups_are_found_whatever_the_case_of_their_names() -> None:
    limits = RateLimits()
    for name in ("LIGHT", "liGHT", "light"):
        group = limits.group("a", "Light")
        limits.complete(0.0, "a", group, group.take(0.0), {"x-rate-limit-group": name})
    view = LimitsByGroup(limits.snapshot(0.0))
    assert [*view] == ["Light"]
    assert view["LIGHT"] is view["light"] is view.get("lighT")
    assert "LIGHT" in view
    assert "Heavy" not in view
    assert view.get("Heavy") is None
    with pytest.raises(KeyError, match="heavy"):
        view["heavy"]


def test_presets_apply_to_groups_without_stated_limits() -> None:
    limits = RateLimits()
    for name in ("Light", "Heavy"):
        group = limits.group(name, name)
        headers = {"x-rate-limit-limit": "7"} if name == "Light" else {}
        limits.complete(0.0, name, group, group.take(0.0), headers)
    limits.add_presets(dict.fromkeys(("Light", "Medium", "Heavy"), GroupLimits(20)))
    found = {name: limits.group(name, name).limit for name in ("Light", "Medium", "Heavy")}
    assert found == {"Light": 7, "Medium": 20, "Heavy": 20}


def test_a_preset_replaces_no_window_that_a_response_has_stated() -> None:
    limits = RateLimits()
    light = limits.group("a", "Light")
    limits.complete(0.0, "a", light, light.take(0.0), {"x-rate-limit-window": "30"})
    limits.add_presets({"Light": GroupLimits(20, 90.0)})
    assert limits.snapshot(0.0)["Light"].window == 30.0
    assert limits.snapshot(0.0)["Light"].limit == 20


def test_a_request_of_an_unknown_group_waits_for_all_groups() -> None:
    limits = RateLimits()
    light, unknown = limits.group("a", "Light"), limits.group("b", "")
    limits.apply_429(0.0, light, {**LIGHT, "retry-after": "30"})
    assert limits.delay(light, 0.0) == limits.delay(unknown, 0.0) == 31.0
    assert limits.delay(limits.group("c", "Heavy"), 0.0) == 0.0


def test_presets_are_limits_by_name() -> None:
    assert parse_presets(None) == {}
    assert parse_presets({"light": 20, "HEAVY": GroupLimits(5, 30.0)}) == {
        "Light": GroupLimits(20),
        "Heavy": GroupLimits(5, 30.0),
    }


@pytest.mark.parametrize(("name", "group"), [("Lite", "Light"), ("hevay", "Heavy")])
def test_a_misspelt_group_is_refused(name: str, group: str) -> None:
    with pytest.raises(UsageError, match=f"limits has a group .*; did you mean '{group}'"):
        parse_presets({name: 20})
    assert [*parse_presets({"Custom": 20})] == ["Custom"]


@pytest.mark.parametrize(
    "limits",
    [
        [],
        {"Light": "20"},
        {"Light": 0},
        {"Light": True},
        {5: 20},
        {"Light": GroupLimits(20, 1e9)},
        {"Light": GroupLimits(20, 0.0)},
        {"Light": GroupLimits(2.5)},  # type: ignore[arg-type]
    ],
)
def test_other_presets_are_refused(limits: Any) -> None:
    with pytest.raises(UsageError):
        parse_presets(limits)


def test_a_request_of_a_known_group_waits_for_that_group_alone() -> None:
    limits = RateLimits()
    limits.add_presets({"One": GroupLimits(3)})
    one, unknown = limits.group("a", "One"), limits.group("b", "")
    for _ in range(2):
        one.complete(0.0, one.take(0.0), {})
    assert [limits.delay(one, 0.0, keep) for keep in (0, 1, 2)] == [0.0, 60.02, 60.02]
    assert limits.delay(one, 0.0) == limits.delay(unknown, 0.0) == 0.0
    one.complete(0.0, one.take(0.0), {})
    assert limits.delay(one, 30.0) == limits.delay(unknown, 30.0) == pytest.approx(30.02)


def test_a_429_in_a_part_does_not_penalise_its_own_group_twice() -> None:
    limits = RateLimits()
    light = limits.group("a", "Light")
    limits.apply_429(0.0, light, {"retry-after": "30"})
    once = light.delay(0.0)
    limits = RateLimits()
    light = limits.group("a", "Light")
    light.start_penalty(0.0, 30.0)
    assert light.delay(0.0) == once
    assert light.penalties == 1


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (5, "limits must map group names to requests in 60 s, or to GroupLimits"),
        ({"Light": "5"}, "limits must map group names to requests in 60 s, or to GroupLimits"),
        ({"Light": 0}, "limits must map group names to requests in 60 s, or to GroupLimits"),
        ({"Ligt": 5}, "limits has a group 'Ligt'; did you mean 'Light'?"),
        (
            {"Light": GroupLimits(5, window=-1)},
            "window must be a positive number of seconds, or a timedelta",
        ),
    ],
)
def test_an_error_says_which_limits_are_wrong(limits: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_presets(limits)
    assert str(caught.value) == message


def test_the_smallest_limit_and_the_longest_window() -> None:
    smallest = GroupLimits(1, window=MAX_WINDOW)
    assert parse_presets({"light": smallest, "Heavy": 1}) == {
        "Light": smallest,
        "Heavy": GroupLimits(1),
    }
    with pytest.raises(UsageError):
        parse_presets({"light": GroupLimits(1, window=MAX_WINDOW + 1)})


def test_a_group_that_is_absent_has_the_default() -> None:
    limits = LimitsByGroup({"Light": GroupLimits(5)})
    fallback = GroupLimits(7)
    assert limits.get("LIGHT", fallback) == GroupLimits(5)
    assert limits.get("Heavy", fallback) is fallback
    assert limits.get("Heavy") is None


def test_the_last_possible_name_makes_a_group_and_later_ones_share_that_without_a_name() -> None:
    limits = RateLimits()
    groups = [limits.group("a", f"G{number}") for number in range(MAX_GROUPS + 2)]
    assert [group.name for group in groups[-4:]] == ["G62", "G63", None, None]
    assert groups[-1] is groups[-2]
    assert groups[-1] is limits.group("b", "")
    assert [*limits.snapshot(0.0)] == [f"G{number}" for number in range(MAX_GROUPS)]
    assert limits.group("c", "G0") is groups[0]
    # What shares it may count in any group.
    limits.apply_429(0.0, groups[0], {**LIGHT, "retry-after": "30"})
    assert limits.delay(groups[-1], 0.0) == 31.0


def test_a_request_that_counted_in_another_group_is_no_probe_of_that() -> None:
    limits = RateLimits()
    light, heavy = limits.group("a", "Light"), limits.group("b", "Heavy")
    limits.apply_429(0.0, heavy, {**LIGHT, "retry-after": "10"})
    limits.complete(1.0, "a", light, light.take(0.0), {"x-rate-limit-group": "heavy"})
    assert (light.in_flight, heavy.in_flight) == (0, 0)
    heavy.take(20.0)
    # The penalty may go on: one request at a time.
    assert heavy.delay(20.0) == inf


def test_a_429_of_all_groups_counts_once_in_each() -> None:
    for in_part in (True, False):
        limits = RateLimits()
        light, heavy = limits.group("a", "Light"), limits.group("b", "Heavy")
        if in_part:
            limits.apply_429(0.0, light, {"retry-after": "10"})
        else:
            limits.complete(0.0, "a", light, light.take(0.0), {"retry-after": "10"}, refused=True)
        assert (light.penalties, heavy.penalties) == (1, 1)


def test_a_group_that_is_stated_as_expected_needs_no_memory() -> None:
    limits = RateLimits()
    other = limits.group("other", "Light")
    limits.complete(0.0, "other", other, other.take(0.0), {"x-rate-limit-group": "heavy"})
    for number in range(MAX_CALLS):
        group = limits.group(f"call {number}", "Light")
        limits.complete(0.0, f"call {number}", group, group.take(0.0), LIGHT)
    assert limits.group("other", "Light") is limits.group("b", "Heavy")
