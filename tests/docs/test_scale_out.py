"""The figures in the guide "Scale out" are those of the benchmark, and its tables are complete."""

import json
import re
from inspect import signature

import pytest

from aiopresence.redis import RedisBoard, RedisLimits, RedisTokenStore
from tests.support.documents import ROOT

GUIDE = (ROOT / "aiopresence/docs/scale-out.md").read_text()
ROWS = json.loads((ROOT / "benchmarks/results.json").read_text())["rows"]
VALUES = {row["label"]: row["value"] for row in ROWS if row["benchmark"] == "shared"}
TABLE = {
    "one Redis": "one Redis",
    "three-node cluster": "a Cluster of three nodes",
    "one process 40 ms away from Redis": "one process 40 ms away from Redis",
}


@pytest.mark.parametrize("label", TABLE)
def test_processes_take_as_long_as_it_says(label: str) -> None:
    time = VALUES[f"{label}: time over one process"]
    refused = VALUES[f"{label}: 429s"]
    parts = [VALUES[f"{label}: {each} part of a process"] for each in ("smallest", "largest")]
    least, most = (f"{each:.0f}" for each in parts)
    assert f"| {TABLE[label]} | {time:.2f} x | {refused:.0f} | {least}\u2013{most} % |" in GUIDE


@pytest.mark.parametrize("kind", [RedisLimits, RedisTokenStore, RedisBoard])
def test_all_arguments_are_listed_with_their_defaults(kind: type) -> None:
    _, rows = GUIDE.split(f"| argument | of `{kind.__name__}` | default |\n|---|---|---|\n")
    listed = re.findall(r"^\| `(\w+)` \| .* \| (.+) \|$", rows.partition("\n\n")[0], re.M)
    parameters = [*signature(kind).parameters.values()][1:]
    assert [name for name, _ in listed] == [each.name for each in parameters]
    for (_, shown), each in zip(listed, parameters, strict=True):
        text = f'`"{each.default}"`' if isinstance(each.default, str) else f"{each.default}"
        # None may be explained, or replaced by what it means.
        assert shown.partition(":")[0] == text.removesuffix(".0") or each.name == "limits"


def test_it_costs_what_it_says() -> None:
    def per_change(who: str) -> float:
        [rate] = [value for label, value in VALUES.items() if f"of the core of {who}" in label]
        return 1000 / float(rate)

    calls = VALUES["one Redis: round trips per request"]
    each = VALUES["one Redis: its time per decision"] / 1000
    assert f"{calls:.2f} calls to Redis, of {each:.2f} ms" in GUIDE
    assert f"{VALUES['board: memory of Redis per extension']:.0f} bytes for each" in GUIDE
    assert f"{per_change('a follower'):.2f} ms of the follower's" in GUIDE
    assert f"{per_change('a reader'):.2f} ms of each reader's" in GUIDE
    assert f"{per_change('Redis, with 3 readers'):.2f} ms of Redis's" in GUIDE
    late = VALUES["board: latency of a change at a reader, median"]
    assert f"after {late:.0f} ms (median)" in GUIDE
    memory = VALUES["the same with a shared board of 500 extensions"] / 1000
    assert f"{memory:.1f} MB with 500 extensions" in GUIDE


def test_an_account_without_changes_takes_what_it_says() -> None:
    def value(what: str) -> float:
        return float(VALUES[f"a followed account without changes: {what}"])

    each = value("time of Redis for a call") / 1000
    assert f"{value('calls to Redis in a lease'):.0f} calls to Redis in a lease" in GUIDE
    assert f"of {each:.2f} ms each; {value('connections to Redis'):.0f} connections" in GUIDE
