from aiopresence.live.snapshot import delay_after


def test_delays_between_failed_reads_grow_to_two_minutes_and_have_jitter() -> None:
    for failures, longest in [(1, 2.0), (2, 4.0), (6, 64.0), (7, 120.0), (10_000, 120.0)]:
        delays = {delay_after(failures) for _ in range(20)}
        assert all(longest / 2 <= delay <= longest for delay in delays)
        assert len(delays) > 1
