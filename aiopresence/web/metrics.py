"""The metrics, in the text format of Prometheus.

Source: Prometheus, "Exposition formats", text format 0.0.4.
"""

from collections.abc import Iterator, Mapping
from math import inf

from .. import Availability, ChangeSource
from .publisher import Publisher
from .readers import Dropped

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Samples = Mapping[tuple[tuple[str, str], ...], float]
# Counted requests: route and status.
Requests = Mapping[tuple[str, int], int]


def metrics(publisher: Publisher, requests: Requests) -> str:
    """Return all metrics."""
    return "".join(f"{line}\n" for line in _lines(publisher, requests))


def _lines(publisher: Publisher, requests: Requests) -> Iterator[str]:
    readers, board = publisher.readers, publisher.board
    counts = dict.fromkeys(Availability, 0)
    for row in publisher.rows.values():
        counts[row.availability] += 1
    yield from _metric(
        "extensions", "gauge", "Extensions on the board, by availability.",
        {(("availability", each),): n for each, n in counts.items()},
    )  # fmt: skip
    yield from _one("extensions_stale", "gauge", "Extensions that may be out of date.",
                    len(publisher.stale))  # fmt: skip
    yield from _one("board_errors", "gauge", "Extensions whose last read has failed.",
                    len(board.errors))  # fmt: skip
    yield from _one("board_live", "gauge", "1 if the board is current, otherwise 0.",
                    publisher.is_live)  # fmt: skip
    yield from _one("board_age_seconds", "gauge", "Time since RingCentral was last heard.",
                    board.age)  # fmt: skip
    yield from _metric(
        "changes_total", "counter", "Changes of the board, by their source.",
        {(("source", each),): publisher.changes[each] for each in ChangeSource},
    )  # fmt: skip
    yield from _one("interruptions_total", "counter", "Times that the board ceased to be live.",
                    publisher.interruptions)  # fmt: skip
    yield from _one("readers", "gauge", "Open streams of changes.", len(readers))
    yield from _metric(
        "readers_dropped_total", "counter", "Streams ended because they were too slow.",
        {(("reason", each),): readers.dropped[each] for each in Dropped},
    )  # fmt: skip
    yield from _one("readers_refused_total", "counter", "Streams refused because of their number.",
                    readers.refused)  # fmt: skip
    yield from _metric(
        "http_requests_total", "counter", "Requests answered, by route and status.",
        {(("route", route), ("status", str(code))): n for (route, code), n in requests.items()},
    )  # fmt: skip


def _one(name: str, kind: str, help_: str, value: float) -> Iterator[str]:
    yield from _metric(name, kind, help_, {(): value})


def _metric(name: str, kind: str, help_: str, samples: Samples) -> Iterator[str]:
    yield f"# HELP aiopresence_{name} {help_}"
    yield f"# TYPE aiopresence_{name} {kind}"
    for labels, value in samples.items():
        pairs = ",".join(f'{label}="{escaped(text)}"' for label, text in labels)
        yield f"aiopresence_{name}{f'{{{pairs}}}' if pairs else ''} {_number(value)}"


def escaped(text: str) -> str:
    """Return the value of a label, escaped."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return "+Inf" if value == inf else str(value + 0)
