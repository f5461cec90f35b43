"""The limiter against a model of the server's window, in time that does not pass."""

import heapq
import random
from collections import deque
from collections.abc import Iterator, Mapping
from math import ceil, inf
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from aiopresence import GroupLimits
from aiopresence.protocol.rate_limit_headers import retry_after
from aiopresence.protocol.rate_limits import MIN_PENALTY, GroupWindow, Slot


@attrs.define
class Server:
    """One group of RingCentral's: arrivals in a sliding window, and penalties that restart."""

    limit: int
    window: float
    tick: float = 0.0  # how coarsely its clock goes
    penalty: float | None = None
    retry_after: str | None = None  # whatever the penalty is; None is the whole seconds of it
    headers: bool = True
    arrivals: deque[float] = attrs.field(factory=deque)
    blocked_until: float = -inf
    refused: int = 0
    penalties: int = 0

    def arrive(self, now: float) -> tuple[int, dict[str, str]]:
        now -= now % self.tick if self.tick else 0.0
        while self.arrivals and self.arrivals[0] <= now - self.window:
            self.arrivals.popleft()
        if now < self.blocked_until or len(self.arrivals) >= self.limit:
            self.refused += 1
            self.penalties += now >= self.blocked_until
            penalty = self.window if self.penalty is None else self.penalty
            self.blocked_until = now + penalty
            asked = str(int(penalty)) if self.retry_after is None else self.retry_after
            return 429, {**self._told(0), "retry-after": asked}
        self.arrivals.append(now)
        return 200, self._told(self.limit - len(self.arrivals))

    def _told(self, remaining: int) -> dict[str, str]:
        if not self.headers:
            return {}
        return {
            "x-rate-limit-group": "light",
            "x-rate-limit-limit": str(self.limit),
            "x-rate-limit-window": f"{self.window:g}",
            "x-rate-limit-remaining": str(remaining),
        }


@attrs.define
class Run:
    """What came of a simulation."""

    sent: list[float]
    finished_at: float
    server: Server
    sent_in_known_penalty: int = 0
    # Requests that were refused, and those of them that had been sent before another one was.
    refused: int = 0
    refused_together: int = 0


@attrs.define(order=True)
class Event:
    at: float
    number: int
    kind: str = attrs.field(order=False)
    slot: Slot = attrs.field(order=False, default=Slot(0, 0, 0))
    reply: tuple[int, dict[str, str]] = attrs.field(order=False, default=(0, {}))


def simulate(
    group: GroupWindow,
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
    run, known_until, refused_at = Run([], 0.0, server), -inf, -inf
    sent_at: dict[int, float] = {}
    while waiting or in_flight:
        while waiting and in_flight < tasks and group.delay(now) <= 0:
            run.sent.append(now)
            run.sent_in_known_penalty += now < known_until
            up, down = next(latencies)
            slot = group.take(now)
            sent_at[slot.number] = now
            heapq.heappush(events, Event(now + up, next(numbers), f"arrive {down}", slot))
            waiting, in_flight = waiting - 1, in_flight + 1
        delay = group.delay(now) if waiting and in_flight < tasks else inf
        assert events or delay < inf, "wedged: nothing is in flight and nothing may be sent"
        if not events or now + delay < events[0].at:
            now += delay
            continue
        event = heapq.heappop(events)
        now = event.at
        slot = event.slot
        if event.kind == "foreign":
            server.arrive(now)
        elif event.kind.startswith("arrive"):
            down = float(event.kind.split()[1])
            kind = "lost" if chance and chance.random() < lost else "answer"
            reply = server.arrive(now)
            heapq.heappush(events, Event(now + down, next(numbers), kind, slot, reply))
        elif event.kind == "lost":
            group.abandon(now, slot)
            in_flight -= 1
        else:
            status, headers = event.reply
            in_flight -= 1
            if status == 200:
                group.complete(now, slot, headers)
            else:
                group.reject(now, slot, headers)
                known_until = max(known_until, now + (retry_after(headers) or 0.0))
                waiting += 1
                run.refused += 1
                run.refused_together += sent_at[slot.number] <= refused_at
                refused_at = now
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


@pytest.mark.fault
@given(
    st.integers(0, 2**32),
    st.integers(1, 64),
    st.sampled_from([5, 10, 50]),
    st.sampled_from([1.0, 60.0]),
    st.floats(0, 2.5),
    st.integers(1, 200),
)
def test_without_other_clients_there_is_no_429_and_the_limit_is_used(
    seed: int, tasks: int, limit: int, window: float, latency: float, requests: int
) -> None:
    server = Server(limit, window)
    run = simulate(
        GroupWindow(GroupLimits(limit, window)),
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


@pytest.mark.fault
@given(st.integers(0, 2**32), st.integers(1, 64), st.sampled_from([5, 10, 50]))
def test_requests_and_responses_that_take_up_to_30_seconds_cause_no_429(
    seed: int, tasks: int, limit: int
) -> None:
    server = Server(limit, 60.0)
    latencies = same(random.Random(seed), 30.0)  # noqa: S311
    run = simulate(GroupWindow(GroupLimits(limit)), server, latencies, requests=60, tasks=tasks)
    assert len(run.sent) == 60
    assert server.refused == 0


@pytest.mark.fault
@given(st.integers(0, 2**32), st.integers(1, 64), st.floats(0, 2.5))
def test_a_coarse_clock_of_this_machine_causes_no_429(
    seed: int, tasks: int, latency: float
) -> None:
    class Coarse(GroupWindow):
        """Is told the time of the last tick; what is due is looked at in the next one."""

        def delay(self, now: float, keep: int = 0) -> float:
            delay = super().delay(last_tick(now), keep)
            return delay if delay <= 0 else delay + TICK

        def take(self, now: float, _keep: int = 0) -> Slot:
            return super().take(last_tick(now))

        def complete(self, now: float, slot: Slot, headers: Mapping[str, str]) -> None:
            super().complete(last_tick(now), slot, headers)

    server = Server(10, 60.0)
    latencies = same(random.Random(seed), latency)  # noqa: S311
    run = simulate(Coarse(GroupLimits(10)), server, latencies, requests=60, tasks=tasks)
    assert len(run.sent) == 60
    assert server.refused == 0


@pytest.mark.fault
@given(st.integers(0, 2**32), st.integers(1, 64), st.floats(0, 2.5))
def test_a_coarse_clock_of_the_server_causes_no_429(seed: int, tasks: int, latency: float) -> None:
    server = Server(10, 60.0, tick=0.0156)
    latencies = same(random.Random(seed), latency)  # noqa: S311
    simulate(GroupWindow(GroupLimits(10)), server, latencies, requests=60, tasks=tasks)
    assert server.refused == 0


def test_at_a_usual_latency_the_makespan_is_within_5_percent_of_the_optimum() -> None:
    for requests in (300, 1000):
        group, server = GroupWindow(GroupLimits(50)), Server(50, 60.0)
        latencies = same(random.Random(1), 0.1)  # noqa: S311 - 200 ms at most, there and back
        run = simulate(group, server, latencies, requests=requests, tasks=8)
        optimum = (ceil(requests / 50) - 1) * 60.0
        assert run.finished_at <= 1.05 * optimum
        assert server.refused == 0


@pytest.mark.fault
@given(
    st.integers(0, 2**32),
    st.integers(1, 16),
    st.lists(st.floats(0, 300), max_size=120),
    st.floats(0, 0.3),
)
def test_with_other_clients_nothing_is_sent_during_a_known_penalty(
    seed: int, tasks: int, foreign: list[float], lost: float
) -> None:
    chance = random.Random(seed)  # noqa: S311
    run = simulate(
        GroupWindow(GroupLimits(10)),
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


def test_a_limit_used_up_by_others_costs_one_request() -> None:
    group, server = GroupWindow(GroupLimits(50)), Server(50, 60.0)
    for _ in range(50):
        server.arrive(0.0)
    run = simulate(group, server, same(random.Random(1), 0.1), requests=20, tasks=8)  # noqa: S311
    assert server.refused == 1
    assert run.sent[1] >= 60.0


@pytest.mark.fault
def test_the_requests_of_others_are_learned_from_remaining() -> None:
    group, server = GroupWindow(GroupLimits(50)), Server(50, 60.0)
    for _ in range(40):
        server.arrive(0.0)
    simulate(group, server, same(random.Random(1), 0.1), requests=20, tasks=8)  # noqa: S311
    assert server.refused == 0


def random_run(group: GroupWindow, server: Server, seed: int, **options: Any) -> Run:
    chance = random.Random(seed)  # noqa: S311
    latencies = same(chance, options.pop("latency", 0.5))
    return simulate(group, server, latencies, **options)


@given(st.integers(0, 2**32), st.integers(1, 16), st.floats(1.0, 90.0))
def test_a_retry_after_rounded_down_costs_one_429(seed: int, tasks: int, penalty: float) -> None:
    server = Server(10, 1.0, penalty=penalty)
    for _ in range(11):
        server.arrive(0.0)
    run = random_run(GroupWindow(GroupLimits(10)), server, seed, requests=30, tasks=tasks)
    assert (run.refused, run.sent_in_known_penalty) == (1, 0)


@given(
    st.integers(0, 2**32),
    st.sampled_from(["0", "1", "2", "soon"]),
    st.floats(60.0, 500.0),
    st.booleans(),
)
def test_a_retry_after_that_is_always_too_short_is_overcome(
    seed: int, asked: str, penalty: float, headers: bool
) -> None:
    server = Server(10, 60.0, penalty=penalty, retry_after=asked, headers=headers)
    server.blocked_until = penalty
    run = random_run(GroupWindow(GroupLimits(10)), server, seed, requests=30, tasks=8)
    assert run.refused <= 10
    assert len(run.sent) == 30 + run.refused
    assert server.penalties == 0


@given(
    st.integers(0, 2**32),
    st.integers(1, 16),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.1, 0.3]),
)
def test_without_headers_the_first_429_teaches_the_limit(
    seed: int, tasks: int, limit: int, latency: float
) -> None:
    group, server = GroupWindow(GroupLimits(50)), Server(limit, 60.0, headers=False)
    options = {"tasks": tasks, "latency": latency}
    run = random_run(group, server, seed, requests=4 * limit + 20, **options)
    assert (server.penalties, group.limit) == (1, limit)
    assert run.sent_in_known_penalty == 0
    # Those that were on their way with the first one, and no other.
    assert run.refused <= tasks
    assert run.refused == run.refused_together + 1


@pytest.mark.fault
@given(
    st.integers(0, 2**32),
    st.integers(1, 16),
    st.sampled_from([5, 10, 40, 50]),
    st.floats(0.3, 3.0),
    st.floats(0.0, 1.0),
)
def test_with_known_other_clients_there_is_at_most_one_429_per_penalty(
    seed: int, tasks: int, limit: int, pause: float, latency: float
) -> None:
    group, server = GroupWindow(GroupLimits(limit)), Server(limit, 60.0)
    chance = random.Random(seed)  # noqa: S311
    foreign = [0.0, 0.0] + [n * pause * chance.uniform(0.5, 1.5) for n in range(400)]
    options: dict[str, Any] = {"tasks": tasks, "latency": latency, "foreign": sorted(foreign)}
    run = random_run(group, server, seed, requests=3 * limit, **options)
    assert run.refused_together == run.sent_in_known_penalty == 0


@given(st.integers(0, 2**32), st.lists(st.floats(0, 300), max_size=120), st.integers(1, 16))
def test_a_small_shared_limit_has_at_most_one_429_per_penalty(
    seed: int, foreign: list[float], tasks: int
) -> None:
    server = Server(10, 60.0)
    options: dict[str, Any] = {"tasks": tasks, "foreign": [0.0, 0.0, *foreign]}
    run = random_run(GroupWindow(GroupLimits(10)), server, seed, requests=60, **options)
    assert run.refused_together == run.sent_in_known_penalty == 0


HEADERS = {"x-rate-limit-limit": "50", "x-rate-limit-remaining": "49", "x-rate-limit-window": "60"}


def answered(limit: int = 5, requests: int = 1, **headers: str) -> GroupWindow:
    group = GroupWindow(GroupLimits(limit))
    for _ in range(requests):
        group.complete(
            0.0, group.take(0.0), {f"x-rate-limit-{k.rstrip('_')}": v for k, v in headers.items()}
        )
    return group


# Slots come back this much later than the rule says.
SLACK = 0.1


def test_one_request_at_a_time_until_the_first_response() -> None:
    group = GroupWindow(GroupLimits(5))
    assert group.delay(0.0) == 0.0
    slot = group.take(0.0)
    assert group.delay(0.0) == inf
    group.complete(1.0, slot, {})
    assert group.delay(1.0) == 0.0


def test_a_slot_is_free_one_window_after_its_response() -> None:
    group = answered(requests=4)
    last = group.take(0.0)
    assert 50.0 <= group.delay(10.0) < 50.0 + SLACK
    group.complete(20.0, last, {})
    assert 1.0 <= group.delay(59.0) < 1.0 + SLACK
    assert group.delay(60.0 + SLACK) == 0.0
    for _ in range(4):
        group.take(60.1)
    assert 20.0 <= group.delay(60.0) < 20.0 + SLACK


def test_a_window_may_start_full() -> None:
    group = GroupWindow(GroupLimits(4))
    group.fill(10.0)
    assert 60.0 < group.delay(10.0) < 60.0 + SLACK
    assert group.delay(70.0 + SLACK) == 0.0


def test_a_released_slot_is_free_at_once() -> None:
    group = answered(requests=4)
    slot = group.take(0.0)
    assert group.delay(1.0) > 0
    group.release(slot)
    assert group.delay(1.0) == 0.0


@pytest.mark.fault
def test_an_abandoned_request_counts_from_its_end() -> None:
    group = answered(limit=1)
    slot = group.take(0.0)
    group.abandon(30.0, slot)
    assert 30.0 <= group.delay(60.0) < 30.0 + SLACK


@pytest.mark.fault
def test_a_stated_limit_and_window_apply_at_once() -> None:
    group = answered(limit=50, requests=6)
    assert group.delay(1.0) == 0.0
    group.complete(1.0, group.take(0.0), {"x-rate-limit-limit": "5", "x-rate-limit-window": "300"})
    assert 299.0 <= group.delay(1.0) < 299.0 + SLACK
    view = group.snapshot(1.0)
    assert (view.limit, view.window, view.remaining) == (5, 300.0, 0)
    assert 299.0 <= view.blocked_for < 299.0 + SLACK


@pytest.mark.fault
@pytest.mark.parametrize("odd", ["", "-1", "many", "\u0665", "9" * 400, "1e9", "inf", "nan", "0"])
def test_invalid_numbers_are_ignored(odd: str) -> None:
    group = answered(limit=50)
    names = ("limit", "window") if odd == "0" else ("limit", "window", "remaining")
    group.complete(0.0, group.take(0.0), {f"x-rate-limit-{name}": odd for name in names})
    assert group.snapshot(0.0) == GroupLimits(50, 60.0, 48, 0.0)


def test_a_remaining_above_the_limit_is_ignored() -> None:
    group = answered(limit=50, remaining="9000")
    assert group.snapshot(0.0).remaining == 49


@pytest.mark.fault
def test_the_headers_of_an_older_request_are_ignored() -> None:
    group = GroupWindow(GroupLimits(50))
    group.complete(0.0, group.take(0.0), HEADERS)
    earlier, later = group.take(1.0), group.take(1.0)
    group.complete(
        2.0, later, {**HEADERS, "x-rate-limit-limit": "20", "x-rate-limit-remaining": "3"}
    )
    assert group.snapshot(2.0).remaining == 3
    group.complete(2.0, earlier, {**HEADERS, "x-rate-limit-remaining": "48"})
    assert group.snapshot(2.0) == GroupLimits(20, 60.0, 3, 0.0)


def test_hostile_numbers_cost_no_memory() -> None:
    group = GroupWindow(GroupLimits(5))
    names = ("limit", "window", "remaining")
    headers = {f"x-rate-limit-{name}": "999999999" for name in names}
    group.complete(0.0, group.take(0.0), {**headers, "x-rate-limit-remaining": "0"})
    assert group.snapshot(0.0).limit == 10_000
    assert group.snapshot(0.0).window == 60.0


def penalised(seconds: float | None) -> GroupWindow:
    group = answered(limit=50)
    group.start_penalty(0.0, seconds)
    return group


TICK = 0.0156


def last_tick(now: float) -> float:
    return now - now % TICK


@pytest.mark.fault
@pytest.mark.parametrize(("seconds", "wait"), [(45.0, 46.0), (5.0, 6.0), (None, 60.0)])
def test_a_429_blocks_the_group(seconds: float | None, wait: float) -> None:
    group = penalised(seconds)
    assert group.delay(0.0) == wait
    assert group.delay(wait) == 0.0
    group.take(0.0)
    assert group.delay(wait) == inf  # one probe


def test_the_shortest_penalty() -> None:
    group = GroupWindow(GroupLimits(5, 1.0))
    group.start_penalty(0.0, None)
    assert group.delay(0.0) == MIN_PENALTY


@pytest.mark.fault
def test_the_longest_penalty_counts() -> None:
    group = penalised(60.0)
    group.start_penalty(5.0, 10.0)
    assert group.delay(5.0) == 56.0
    group.start_penalty(6.0, 60.0)
    assert group.delay(6.0) == 61.0


def test_only_a_request_sent_after_the_penalty_ends_the_probing() -> None:
    group = answered(limit=50)
    early = group.take(0.0)
    group.start_penalty(0.0, 10.0)
    group.complete(1.0, early, {})
    probe = group.take(0.0)
    assert group.delay(11.0) == inf
    group.complete(12.0, probe, {})
    assert group.delay(12.0) == 0.0


def test_a_request_abandoned_during_a_penalty_may_have_restarted_it() -> None:
    group = answered(limit=50)
    early = group.take(0.0)
    group.start_penalty(0.0, 10.0)
    group.abandon(8.0, early)
    assert group.delay(8.0) == 11.0


@pytest.mark.fault
def test_slots_can_be_kept_free() -> None:
    group = answered(limit=5, requests=3)
    assert group.delay(0.0, keep=2) > 0
    assert group.delay(0.0) == 0.0
    alone = answered(limit=1, requests=1)
    assert alone.delay(60.0 + SLACK, keep=2) == 0.0


@pytest.mark.parametrize(
    ("ahead", "wait"), [(0, 0.0), (3, 0.0), (4, 60.0), (8, 60.0), (9, 120.0), (14, 180.0)]
)
def test_the_forecast_counts_the_requests_ahead(ahead: int, wait: float) -> None:
    assert wait <= answered(limit=5).forecast(0.0, ahead) < wait + SLACK


def test_the_forecast_considers_a_lower_limit() -> None:
    group = answered(limit=50, requests=49)
    group.complete(0.0, group.take(0.0), {"x-rate-limit-limit": "5"})
    assert group.forecast(1.0, 0) == group.delay(1.0) == pytest.approx(59.0, abs=SLACK)


@pytest.mark.fault
def test_a_limit_that_rises_applies_at_once() -> None:
    group = answered(limit=5, requests=4)
    slot = group.take(0.5)
    assert group.delay(1.0) > 0.0
    group.complete(1.0, slot, {"x-rate-limit-limit": "100"})
    assert group.snapshot(1.0).remaining == 95
    assert group.delay(1.0) == 0.0


@pytest.mark.fault
def test_a_longer_window_includes_earlier_requests_again() -> None:
    group = answered(limit=10, requests=10)
    group.complete(61.0, group.take(61.0), {"x-rate-limit-window": "300"})
    assert group.delay(61.0) >= 239.0


@pytest.mark.parametrize("limit", ["0.5", "0", "0.999"])
def test_a_limit_below_one_is_ignored(limit: str) -> None:
    group = answered(limit=5)
    group.complete(0.0, group.take(0.0), {"x-rate-limit-limit": limit})
    assert group.snapshot(0.0).limit == 5


def test_a_retry_after_of_zero_is_a_penalty_of_unknown_length() -> None:
    assert penalised(0.0).delay(0.0) == 60.0


def test_the_forecast_considers_penalties() -> None:
    assert penalised(45.0).forecast(0.0, 0) == 46.0


@pytest.mark.fault
def test_large_monotonic_times_keep_their_precision() -> None:
    now = 10 * 365 * 86_400.0
    group = GroupWindow(GroupLimits(1, 1.0))
    group.complete(now, group.take(0.0), {})
    assert abs(group.delay(now + 0.25) - 0.75) < 0.002
    assert group.delay(now + 1.01) == 0.0


def told(group: GroupWindow, now: float, **headers: str) -> None:
    """Answer one request with some limits."""
    names = {f"x-rate-limit-{name}": value for name, value in headers.items()}
    group.complete(now, group.take(now), names)


@pytest.mark.parametrize("odd", ["60000", "3600000", "86400", "6000", "0.06", "1"])
def test_a_single_implausible_window_is_ignored(odd: str) -> None:
    group = answered(limit=5, requests=4, window="60")
    told(group, 1.0, window=odd)
    assert 58.0 < group.delay(2.0) < 59.1


def test_a_wrong_window_applies_until_the_next_response() -> None:
    group = answered(limit=5, requests=5, window="60")
    told(group, 61.0, window="600")
    assert group.delay(61.0) > 500.0
    told(group, 62.0, window="60")
    assert group.delay(62.0) == 0.0
    assert group.snapshot(62.0).remaining == 3


def test_a_window_that_is_stated_twice_applies() -> None:
    group = answered(limit=5, requests=4, window="60")
    told(group, 1.0, window="3000")
    told(group, 1.0, window="3000")
    assert group.snapshot(1.0).window == 3000.0


def test_the_first_stated_window_applies_until_the_next_response() -> None:
    assert answered(window="1").snapshot(0.0).window == 1.0
    group = answered(limit=2, window="3000")
    told(group, 1.0, window="60")
    assert 58.0 < group.delay(2.0) < 60.0
    told(group, 70.0, window="3000")
    told(group, 71.0, window="60")
    assert group.delay(71.0) < 60.0


def test_a_wrong_limit_or_remaining_applies_until_the_next_response() -> None:
    group = answered(limit=50, requests=5, limit_="50")
    told(group, 1.0, limit="1", remaining="0")
    assert group.delay(1.0) > 50.0
    told(group, 2.0, limit="50", remaining="43")
    assert group.snapshot(2.0) == GroupLimits(50, 60.0, 43, 0.0)


def test_both_spellings_of_the_headers_are_read() -> None:
    group = GroupWindow(GroupLimits(50))
    names = {"limit": "20", "window": "30", "remaining": "7"}
    group.complete(0.0, group.take(0.0), {f"x-ratelimit-{k}": v for k, v in names.items()})
    assert group.snapshot(0.0) == GroupLimits(20, 30.0, 7, 0.0)


def refused(group: GroupWindow, now: float, **headers: str) -> float:
    """Have a request refused; return how long the group is shut."""
    group.reject(now, group.take(now), {k.replace("_", "-"): v for k, v in headers.items()})
    return group.delay(now)


def test_each_rejected_probe_doubles_the_wait_up_to_ten_minutes() -> None:
    group, now, waits = answered(limit=50), 0.0, []
    for _ in range(10):
        waits.append(refused(group, now, retry_after="2"))
        now += waits[-1]
    assert waits == [3.0, 6.0, 12.0, 24.0, 48.0, 96.0, 192.0, 384.0, 600.0, 600.0]
    told(group, now)
    assert refused(group, now, retry_after="2") == 3.0
    assert refused(group, now + 3.0, retry_after="3600") == 3601.0


@pytest.mark.fault
def test_rejected_requests_that_were_in_flight_do_not_double_the_wait() -> None:
    group = answered(limit=50)
    slots = [group.take(0.0) for _ in range(4)]
    for at, each in enumerate(slots):
        group.reject(float(at), each, {"retry-after": "10"})
    assert group.delay(3.0) == 11.0


def test_a_429_teaches_no_limit_if_a_response_has_stated_one() -> None:
    group = answered(limit=50, requests=5, limit_="50")
    refused(group, 0.0)
    assert group.snapshot(100.0).limit == 50


def test_a_guessed_limit_applies_until_a_response_states_one_or_for_a_day() -> None:
    for told_by_answer in (False, True):
        group = answered(limit=50, requests=5)
        refused(group, 0.0)
        group.use_preset(GroupLimits(40))
        assert group.snapshot(100.0).limit == 5
        if told_by_answer:
            told(group, 100.0, limit="30")
            assert group.snapshot(100.0).limit == 30
        told(group, 86_401.0)
        assert group.snapshot(86_401.0).limit == (30 if told_by_answer else 50)


def test_a_429_before_the_first_response_teaches_no_limit() -> None:
    group = GroupWindow(GroupLimits(50))
    refused(group, 0.0)
    assert group.snapshot(0.0).limit == 50


def test_presets_apply_until_a_response_states_the_limits() -> None:
    group = GroupWindow(GroupLimits(50))
    group.use_preset(GroupLimits(20, 30.0))
    assert group.snapshot(0.0) == GroupLimits(20, 30.0, 20, 0.0)
    told(group, 0.0, limit="10")
    group.use_preset(GroupLimits(20, 15.0))
    assert (group.snapshot(0.0).limit, group.snapshot(0.0).window) == (10, 15.0)


def test_a_429_long_after_the_last_response_teaches_no_limit() -> None:
    group = answered(limit=50)
    group.reject(100.0, group.take(100.0), {})
    assert group.snapshot(200.0).limit == 50
