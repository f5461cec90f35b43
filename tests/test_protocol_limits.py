"""The limiter against a model of the server's window, in time that does not pass."""

import heapq
import random
from collections import deque
from collections.abc import Iterator
from math import ceil, inf

import attrs
import pytest
from hypothesis import given, strategies as st

from aiopresence import GroupLimits
from aiopresence.protocol.limits import (
    MAX_GROUPS,
    MIN_PENALTY,
    Group,
    Limits,
    Taken,
    group_name,
    retry_after,
)


class Server:
    """One group of RingCentral's: arrivals in a sliding window, and penalties that restart."""

    def __init__(self, limit: int, window: float, tick: float = 0.0) -> None:
        self.tick = tick  # how coarsely its clock goes
        self.limit = limit
        self.window = window
        self.arrivals: deque[float] = deque()
        self.blocked_until = -inf
        self.refused = 0

    def arrive(self, now: float) -> tuple[int, dict[str, str]]:
        now -= now % self.tick if self.tick else 0.0
        while self.arrivals and self.arrivals[0] <= now - self.window:
            self.arrivals.popleft()
        headers = {
            "x-rate-limit-group": "light",
            "x-rate-limit-limit": str(self.limit),
            "x-rate-limit-window": f"{self.window:g}",
        }
        if now < self.blocked_until or len(self.arrivals) >= self.limit:
            self.refused += 1
            self.blocked_until = now + self.window
            headers |= {"x-rate-limit-remaining": "0", "retry-after": str(ceil(self.window))}
            return 429, headers
        self.arrivals.append(now)
        headers["x-rate-limit-remaining"] = str(self.limit - len(self.arrivals))
        return 200, headers


@attrs.define
class Run:
    """What came of a simulation."""

    sent: list[float]
    finished_at: float
    server: Server
    sent_in_known_penalty: int = 0


@attrs.define(order=True)
class Event:
    at: float
    number: int
    kind: str = attrs.field(order=False)
    taken: Taken = attrs.field(order=False, default=Taken(0, 0, 0))
    reply: tuple[int, dict[str, str]] = attrs.field(order=False, default=(0, {}))


def simulate(
    group: Group,
    server: Server,
    latencies: Iterator[tuple[float, float]],
    *,
    requests: int,
    tasks: int,
    foreign: list[float] | None = None,
    lost: float = 0.0,
    chance: random.Random | None = None,
) -> Run:
    """Send requests as fast as a group allows, each with its time to the server and back."""
    now, waiting, in_flight, numbers = 0.0, requests, 0, iter(range(10**9))
    events = [Event(at, next(numbers), "foreign") for at in foreign or []]
    heapq.heapify(events)
    run, known_until = Run([], 0.0, server), -inf
    while waiting or in_flight:
        while waiting and in_flight < tasks and group.delay(now) <= 0:
            run.sent.append(now)
            run.sent_in_known_penalty += now < known_until
            up, down = next(latencies)
            taken = group.take(now)
            heapq.heappush(events, Event(now + up, next(numbers), f"arrive {down}", taken))
            waiting, in_flight = waiting - 1, in_flight + 1
        delay = group.delay(now) if waiting and in_flight < tasks else inf
        assert events or delay < inf, "wedged: nothing is in flight and nothing may be sent"
        if not events or now + delay < events[0].at:
            now += delay
            continue
        event = heapq.heappop(events)
        now = event.at
        taken = event.taken
        if event.kind == "foreign":
            server.arrive(now)
        elif event.kind.startswith("arrive"):
            down = float(event.kind.split()[1])
            kind = "lost" if chance and chance.random() < lost else "answer"
            reply = server.arrive(now)
            heapq.heappush(events, Event(now + down, next(numbers), kind, taken, reply))
        elif event.kind == "lost":
            group.lose(now, taken)
            in_flight -= 1
        else:
            status, headers = event.reply
            group.settle(now, taken, headers)
            in_flight -= 1
            if status == 429:
                group.penalise(now, retry_after(headers))
                known_until = max(known_until, now + float(headers["retry-after"]))
                waiting += 1
    run.finished_at = now
    return run


def allowed(latencies: Iterator[tuple[float, float]], requests: int, tasks: int, limit: int,
            window: float) -> list[float]:  # fmt: skip
    """When the rule alone would send: a slot is free again one window after its answer."""
    sent: list[float] = []
    answered: list[float] = []
    now = 0.0
    for _ in range(requests):
        while True:
            under_way = sum(at > now for at in answered)
            used = sum(at + window > now for at in answered)
            if used < limit and under_way < tasks:
                break
            now = min(t for at in answered for t in (at, at + window) if t > now)
        up, down = next(latencies)
        sent.append(now)
        answered.append(now + up + down)
    return sent


def same(chance: random.Random, most: float) -> Iterator[tuple[float, float]]:
    while True:
        yield chance.uniform(0, most), chance.uniform(0, most)


@given(
    st.integers(0, 2**32),
    st.integers(1, 64),
    st.sampled_from([5, 10, 50]),
    st.sampled_from([1.0, 60.0]),
    st.floats(0, 2.5),
    st.integers(1, 200),
)
def test_alone_there_is_never_a_429_and_the_quota_is_used_rl01_rl04(
    seed: int, tasks: int, limit: int, window: float, latency: float, requests: int
) -> None:
    server = Server(limit, window)
    run = simulate(
        Group(GroupLimits(limit, window)),
        server,
        same(random.Random(seed), latency),  # noqa: S311
        requests=requests,
        tasks=tasks,
    )
    assert server.refused == 0
    assert len(run.sent) == requests
    ideal = allowed(same(random.Random(seed), latency), requests, tasks, limit, window)  # noqa: S311
    # The first request goes alone, and all that follow may be that much later.
    alone = run.sent[1] - run.sent[0] if requests > 1 else 0.0
    for ours, ideally in zip(run.sent, ideal, strict=True):
        assert ours <= ideally / 0.98 + 2 * alone + 1e-9


@given(st.integers(0, 2**32), st.integers(1, 64), st.floats(0, 2.5))
def test_a_coarse_clock_at_the_server_makes_no_429_ck03(
    seed: int, tasks: int, latency: float
) -> None:
    server = Server(10, 60.0, tick=0.0156)
    latencies = same(random.Random(seed), latency)  # noqa: S311
    simulate(Group(GroupLimits(10)), server, latencies, requests=60, tasks=tasks)
    assert server.refused == 0


def test_at_a_usual_latency_the_makespan_is_within_5_percent_of_the_optimum() -> None:
    for requests in (300, 1000):
        group, server = Group(GroupLimits(50)), Server(50, 60.0)
        latencies = same(random.Random(1), 0.1)  # noqa: S311 - 200 ms at most, there and back
        run = simulate(group, server, latencies, requests=requests, tasks=8)
        optimum = (ceil(requests / 50) - 1) * 60.0
        assert run.finished_at <= 1.05 * optimum
        assert server.refused == 0


@given(
    st.integers(0, 2**32),
    st.integers(1, 16),
    st.lists(st.floats(0, 300), max_size=120),
    st.floats(0, 0.3),
)
def test_with_others_nothing_is_sent_inside_a_known_penalty_rl02_rl03_rl05(
    seed: int, tasks: int, foreign: list[float], lost: float
) -> None:
    chance = random.Random(seed)  # noqa: S311
    run = simulate(
        Group(GroupLimits(10)),
        Server(10, 60.0),
        same(chance, 2.5),
        requests=60,
        tasks=tasks,
        foreign=foreign,
        lost=lost,
        chance=chance,
    )
    assert run.sent_in_known_penalty == 0
    assert len(run.sent) >= 60


def test_a_quota_that_others_have_used_up_costs_one_request() -> None:
    group, server = Group(GroupLimits(50)), Server(50, 60.0)
    for _ in range(50):
        server.arrive(0.0)
    run = simulate(group, server, same(random.Random(1), 0.1), requests=20, tasks=8)  # noqa: S311
    assert server.refused == 1
    assert run.sent[1] >= 60.0


def test_what_others_have_used_is_learned_from_remaining_rl14() -> None:
    group, server = Group(GroupLimits(50)), Server(50, 60.0)
    for _ in range(40):
        server.arrive(0.0)
    simulate(group, server, same(random.Random(1), 0.1), requests=20, tasks=8)  # noqa: S311
    assert server.refused == 0


HEADERS = {"x-rate-limit-limit": "50", "x-rate-limit-remaining": "49", "x-rate-limit-window": "60"}


def answered(limit: int = 5, requests: int = 1, **headers: str) -> Group:
    group = Group(GroupLimits(limit))
    for _ in range(requests):
        group.settle(0.0, group.take(0.0), {f"x-rate-limit-{k}": v for k, v in headers.items()})
    return group


# Slots come back this much later than the rule says.
SLACK = 0.1


def test_one_at_a_time_until_the_first_answer() -> None:
    group = Group(GroupLimits(5))
    assert group.delay(0.0) == 0.0
    taken = group.take(0.0)
    assert group.delay(0.0) == inf
    group.settle(1.0, taken, {})
    assert group.delay(1.0) == 0.0


def test_a_slot_is_free_one_window_after_its_answer() -> None:
    group = answered(requests=4)
    last = group.take(0.0)
    assert 50.0 <= group.delay(10.0) < 50.0 + SLACK
    group.settle(20.0, last, {})
    assert 1.0 <= group.delay(59.0) < 1.0 + SLACK
    assert group.delay(60.0 + SLACK) == 0.0
    for _ in range(4):
        group.take(60.1)
    assert 20.0 <= group.delay(60.0) < 20.0 + SLACK


def test_a_slot_given_back_is_free_at_once() -> None:
    group = answered(requests=4)
    group.take(0.0)
    assert group.delay(1.0) > 0
    group.unsent()
    assert group.delay(1.0) == 0.0


def test_a_request_that_was_lost_counts_from_then_on_rl05() -> None:
    group = answered(limit=1)
    taken = group.take(0.0)
    group.lose(30.0, taken)
    assert 30.0 <= group.delay(60.0) < 30.0 + SLACK


def test_limit_and_window_are_adopted_at_once_rl13() -> None:
    group = answered(limit=50, requests=6)
    assert group.delay(1.0) == 0.0
    group.settle(1.0, group.take(0.0), {"x-rate-limit-limit": "5", "x-rate-limit-window": "300"})
    assert 299.0 <= group.delay(1.0) < 299.0 + SLACK
    view = group.view(1.0)
    assert (view.limit, view.window, view.remaining) == (5, 300.0, 0)
    assert 299.0 <= view.blocked_for < 299.0 + SLACK


@pytest.mark.parametrize("odd", ["", "-1", "many", "\u0665", "9" * 400, "1e9", "inf", "nan", "0"])
def test_odd_numbers_are_ignored_rl15(odd: str) -> None:
    group = answered(limit=50)
    names = ("limit", "window") if odd == "0" else ("limit", "window", "remaining")
    group.settle(0.0, group.take(0.0), {f"x-rate-limit-{name}": odd for name in names})
    assert group.view(0.0) == GroupLimits(50, 60.0, 48, 0.0)


def test_more_remaining_than_there_can_be_is_ignored() -> None:
    group = answered(limit=50, remaining="9000")
    assert group.view(0.0).remaining == 49


def test_an_older_answer_never_raises_the_budget_rl16() -> None:
    group = answered(limit=50, remaining="3")
    assert group.view(0.0).remaining == 3
    group.settle(1.0, group.take(1.0), {**HEADERS})
    assert group.view(1.0).remaining == 2


def test_hostile_numbers_cost_no_memory() -> None:
    group = Group(GroupLimits(5))
    names = ("limit", "window", "remaining")
    headers = {f"x-rate-limit-{name}": "999999999" for name in names}
    group.settle(0.0, group.take(0.0), {**headers, "x-rate-limit-remaining": "0"})
    assert group.view(0.0).limit == 10_000
    assert group.view(0.0).window == 86_400.0


def penalised(seconds: float | None) -> Group:
    group = answered(limit=50)
    group.penalise(0.0, seconds)
    return group


@pytest.mark.parametrize(("seconds", "wait"), [(45.0, 45.0), (5.0, 5.0), (None, 60.0)])
def test_a_429_shuts_the_group_rl02_rl06(seconds: float | None, wait: float) -> None:
    group = penalised(seconds)
    assert group.delay(0.0) == wait
    assert group.delay(wait) == 0.0
    group.take(0.0)
    assert group.delay(wait) == inf  # one probe


def test_the_shortest_penalty() -> None:
    group = Group(GroupLimits(5, 1.0))
    group.penalise(0.0, None)
    assert group.delay(0.0) == MIN_PENALTY


def test_the_longest_penalty_counts_rl03() -> None:
    group = penalised(60.0)
    group.penalise(5.0, 10.0)
    assert group.delay(5.0) == 55.0
    group.penalise(6.0, 60.0)
    assert group.delay(6.0) == 60.0


def test_only_a_request_sent_after_the_penalty_ends_the_probing() -> None:
    group = answered(limit=50)
    early = group.take(0.0)
    group.penalise(0.0, 10.0)
    group.settle(1.0, early, {})
    probe = group.take(0.0)
    assert group.delay(10.0) == inf
    group.settle(11.0, probe, {})
    assert group.delay(11.0) == 0.0


def test_a_request_lost_across_a_penalty_may_have_restarted_it() -> None:
    group = answered(limit=50)
    early = group.take(0.0)
    group.penalise(0.0, 10.0)
    group.lose(8.0, early)
    assert group.delay(8.0) == 10.0


def test_slots_can_be_kept_rl18() -> None:
    group = answered(limit=5, requests=3)
    assert group.delay(0.0, keep=2) > 0
    assert group.delay(0.0) == 0.0
    alone = answered(limit=1, requests=1)
    assert alone.delay(60.0 + SLACK, keep=2) == 0.0


@pytest.mark.parametrize(
    ("ahead", "wait"), [(0, 0.0), (3, 0.0), (4, 60.0), (8, 60.0), (9, 120.0), (14, 180.0)]
)
def test_the_forecast_counts_those_ahead(ahead: int, wait: float) -> None:
    assert wait <= answered(limit=5).forecast(0.0, ahead) < wait + SLACK


def test_the_forecast_knows_of_a_limit_that_shrank() -> None:
    group = answered(limit=50, requests=49)
    group.settle(0.0, group.take(0.0), {"x-rate-limit-limit": "5"})
    assert group.forecast(1.0, 0) == group.delay(1.0) == pytest.approx(59.0, abs=SLACK)


def test_a_window_that_grows_brings_back_what_was_forgotten_rl13() -> None:
    group = answered(limit=10, requests=10)
    group.settle(61.0, group.take(61.0), {"x-rate-limit-window": "300"})
    assert group.delay(61.0) >= 239.0


@pytest.mark.parametrize("limit", ["0.5", "0", "0.999"])
def test_a_limit_below_one_is_none(limit: str) -> None:
    group = answered(limit=5)
    group.settle(0.0, group.take(0.0), {"x-rate-limit-limit": limit})
    assert group.view(0.0).limit == 5


def test_a_penalty_of_nothing_is_of_unknown_length() -> None:
    assert penalised(0.0).delay(0.0) == 60.0


def test_the_forecast_knows_penalties() -> None:
    assert penalised(45.0).forecast(0.0, 0) == 45.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "60"}, 60.0),
        ({"retry-after": "5, 30"}, 30.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "\u0666\u0660"}, None),
        ({"retry-after": "soon"}, None),
        (
            {
                "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT",
                "date": "Wed, 21 Oct 2015 07:28:00 GMT",
            },
            30.0,
        ),
        (
            {
                "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT",
                "date": "Wed, 21 Oct 2015 07:29:00 GMT",
            },
            0.0,
        ),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after": f"Wed, 21 Oct 2015 {'9' * 20}:28:00 GMT"}, None),
        (
            {"retry-after": "Wed, 21 Oct 2015 07:28:00", "date": "Wed, 21 Oct 2015 07:28:00 GMT"},
            None,
        ),
    ],
)
def test_retry_after_rl07_ck06(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@given(st.text(), st.text())
def test_any_retry_after_is_a_wait_or_none(text: str, date: str) -> None:
    seconds = retry_after({"retry-after": text, "date": date})
    assert seconds is None or seconds >= 0.0


LIGHT = {"x-rate-limit-group": "light", "x-rate-limit-limit": "7"}


def test_groups_are_known_beforehand_and_corrected_by_the_answer_rl12() -> None:
    limits = Limits()
    limits.add_presets({"Presence": GroupLimits(3)})
    light = limits.group("GET X", "Light")
    assert light.limit == 50
    assert limits.settle(0.0, "GET X", light, light.take(0.0), LIGHT) is light
    assert light.limit == 7
    renamed = {"x-rate-limit-group": "PRESENCE", "x-rate-limit-remaining": "1"}
    presence = limits.settle(1.0, "GET X", light, light.take(0.0), renamed)
    assert limits.group("GET X", "Light") is presence
    assert limits.group("GET Y", "Light") is light
    assert light.in_flight == presence.in_flight == 0
    assert limits.view(1.0)["Presence"].remaining == 1


def test_a_429_names_its_group_or_shuts_all_rl09_rl17() -> None:
    limits = Limits()
    light, heavy = limits.group("a", "Light"), limits.group("b", "Heavy")
    limits.penalise(0.0, light, {**LIGHT, "retry-after": "30"})
    assert (light.delay(0.0), heavy.delay(0.0)) == (30.0, 0.0)
    limits.penalise(0.0, light, {"retry-after": "40"})
    assert (light.delay(0.0), heavy.delay(0.0)) == (40.0, 40.0)
    assert limits.group("c", "Medium").delay(0.0) == 40.0


def test_invented_groups_and_calls_cost_no_memory_bp07() -> None:
    limits = Limits()
    for number in range(1000):
        group = limits.group(f"call {number}", "")
        headers = {"x-rate-limit-group": f"group {number}"}
        limits.settle(0.0, f"call {number}", group, group.take(0.0), headers)
    assert len(limits.view(0.0)) <= MAX_GROUPS
    assert len(limits._learned) <= 256


def test_group_names() -> None:
    assert group_name(" LIGHT ") == group_name("light") == "Light"
    assert len(group_name("x" * 999)) == 64


def test_float_age_ck05() -> None:
    now = 10 * 365 * 86_400.0
    group = Group(GroupLimits(1, 1.0))
    group.settle(now, group.take(0.0), {})
    assert abs(group.delay(now + 0.25) - 0.75) < 0.002
    assert group.delay(now + 1.01) == 0.0
