"""What becomes of processes that share their limits when something happens to Redis."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.clock_shift import ClockShift
from tests.support.fleet import Fleet, Scale, Together, fleet
from tests.support.redis_proxy import proxy
from tests.support.redis_servers import RedisServer, redis_sentinel, redis_server
from tests.support.workers import WorkerPool

# Requests that are counted before something happens.
BEFORE = 30
SCALE = Scale()
SHARE = {"outage": "share", "processes": SCALE.processes}
# The longest time from the return of Redis to the next request, in seconds.
RETURN = SCALE.window + 1.0


@contextmanager
def busy(pool: WorkerPool, server: RedisServer) -> Iterator[Fleet]:
    """Run workers in the middle of their requests, and let them finish."""
    with fleet(pool, server.url, SCALE) as workers:
        workers.wait_for(BEFORE)
        yield workers
        workers.finish_without_loss()


def all_data_are_deleted(pool: WorkerPool) -> None:
    with redis_server() as server, busy(pool, server) as workers:
        assert server.client.dbsize() > 0
        server.client.flushall()
    assert workers.longest_pause() <= RETURN


def all_scripts_are_forgotten(pool: WorkerPool) -> None:
    with redis_server() as server:
        with busy(pool, server):
            server.reset_stats()
            server.client.script_flush()
        assert server.calls("eval", "script|load") >= 1


def commands_are_paused_for_two_seconds(pool: WorkerPool) -> None:
    with redis_server() as server, busy(pool, server) as workers:
        server.client.client_pause(2000)
        returned = time.monotonic() + 2.0
    assert workers.longest_pause() >= 1.0
    assert workers.first_sent(returned) <= RETURN


def the_process_is_stopped_for_two_seconds(pool: WorkerPool) -> None:
    with redis_server() as server, busy(pool, server) as workers:
        server.pause()
        time.sleep(2.0)
        server.resume()
        returned = time.monotonic()
    assert workers.longest_pause() >= 1.0
    assert workers.first_sent(returned) <= RETURN


def restarted(pool: WorkerPool, appendonly: str) -> None:
    with redis_server(appendonly=appendonly) as server, busy(pool, server) as workers:
        server.client.set("kept", "yes")
        server.restart(after=5.0)
        returned = time.monotonic()
        assert server.client.get("kept") == (appendonly if appendonly == "yes" else None)
    assert workers.longest_pause() >= 4.0
    assert workers.first_sent(returned) <= RETURN


def it_is_restarted_with_its_data(pool: WorkerPool) -> None:
    restarted(pool, "yes")


def it_is_restarted_without_its_data(pool: WorkerPool) -> None:
    restarted(pool, "no")


def a_sentinel_fails_over(pool: WorkerPool) -> None:
    with redis_sentinel() as sentinel, fleet(pool, sentinel.url, SCALE) as workers:
        workers.wait_for(BEFORE)
        sentinel.fail_over()
        returned = time.monotonic()
        workers.finish_without_loss()
        assert sentinel.replica.calls("evalsha", "eval") > 0
    assert workers.first_sent(returned) <= RETURN


def shifted(pool: WorkerPool, *steps: float) -> None:
    with TemporaryDirectory() as folder:
        shift = ClockShift(Path(folder))
        with redis_server(environment=shift.environment) as server, busy(pool, server) as workers:
            for step in steps:
                shift.set(step)
                assert abs(server.client.time()[0] - time.time() - step) < 1.5
                workers.wait_for(workers.server.requests + BEFORE)
    assert workers.longest_pause() <= RETURN


def the_clock_is_an_hour_ahead(pool: WorkerPool) -> None:
    shifted(pool, 3600.0)


def the_clock_is_an_hour_behind(pool: WorkerPool) -> None:
    shifted(pool, -3600.0)


def the_clock_goes_ahead_in_small_steps(pool: WorkerPool) -> None:
    shifted(pool, 0.2, 1.1)


def the_clock_is_corrected(pool: WorkerPool) -> None:
    shifted(pool, 3600.0, 0.0)


def replies_are_lost(pool: WorkerPool) -> None:
    with redis_server() as server, proxy(server.port) as through:
        urls = [through.url] * 2 + [server.url] * 2
        with fleet(pool, urls, SCALE) as workers:
            for requests in range(BEFORE, 90, 15):
                workers.wait_for(requests)
                through.lose_replies()
            workers.finish_without_loss()
        assert through.lost >= 3


def cut_off(pool: WorkerPool, seconds: float, limits: Mapping[str, object]) -> float:
    """Cut two of four processes off from Redis; return when the first of them sent again."""
    with redis_server() as server, proxy(server.port) as through:
        urls = [through.url] * 2 + [server.url] * 2
        with fleet(pool, urls, SCALE, limits=limits) as workers:
            workers.wait_for(BEFORE)
            through.cut()
            time.sleep(seconds)
            through.mend()
            returned = time.monotonic()
            workers.finish_without_loss()
        assert through.held > 0
    for name in ("0", "1"):  # Those that were cut off.
        assert workers.longest_pause(name) >= 3.0
        assert workers.first_sent(returned, name) <= RETURN
    return workers.first_sent(returned - seconds + 2.0, "0") + 2.0


def two_of_four_are_cut_off_and_hold(pool: WorkerPool) -> None:
    assert cut_off(pool, 4.0, {}) > 4.0


def two_of_four_are_cut_off_and_share(pool: WorkerPool) -> None:
    assert cut_off(pool, 4.0, SHARE) > 4.0


def two_of_four_are_cut_off_for_so_long_that_they_use_their_share(pool: WorkerPool) -> None:
    assert cut_off(pool, 10.0, SHARE) < 10.0


def it_is_gone_for_so_long_that_all_use_their_share(pool: WorkerPool) -> None:
    with redis_server() as server, fleet(pool, server.url, SCALE, limits=SHARE) as workers:
        workers.wait_for(BEFORE)
        server.kill()
        gone = time.monotonic()
        time.sleep(10.0)
        server.start()
        returned = time.monotonic()
        workers.finish_without_loss()
    assert workers.first_sent(gone + 2.0) < 8.0
    assert workers.first_sent(returned) <= RETURN


@pytest.mark.fault
@pytest.mark.parametrize(
    "scenario",
    [  # The longest first: they run at the same time.
        two_of_four_are_cut_off_for_so_long_that_they_use_their_share,
        it_is_gone_for_so_long_that_all_use_their_share,
        all_data_are_deleted,
        all_scripts_are_forgotten,
        commands_are_paused_for_two_seconds,
        the_process_is_stopped_for_two_seconds,
        it_is_restarted_with_its_data,
        it_is_restarted_without_its_data,
        a_sentinel_fails_over,
        the_clock_is_an_hour_ahead,
        the_clock_is_an_hour_behind,
        the_clock_goes_ahead_in_small_steps,
        the_clock_is_corrected,
        replies_are_lost,
        two_of_four_are_cut_off_and_hold,
        two_of_four_are_cut_off_and_share,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_no_request_is_refused_or_lost_when(
    scenario: Callable[[WorkerPool], None], together: Together
) -> None:
    together[scenario].result()
