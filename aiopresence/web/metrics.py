"""The metrics, in the text format of Prometheus.

Source: Prometheus, "Exposition formats", text format 0.0.4.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any, Literal

import attrs

from .. import Availability, ChangeSource
from .publisher import Publisher
from .readers import Dropped

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# A value, or values by tuples with the values of the labels.
Value = float | Mapping[Any, float]


@attrs.frozen
class Metric:
    """A metric.

    Attributes:
        name: its name, without the prefix.
        type: how it changes.
        help: what it is.
        value: its value or values.
        labels: the names of the labels.
    """

    name: str
    type: Literal["gauge", "counter"]
    help: str
    value: Value
    labels: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield its lines."""
        name = f"aiopresence_{self.name}"
        yield f"# HELP {name} {self.help}\n"
        yield f"# TYPE {name} {self.type}\n"
        values = self.value if isinstance(self.value, Mapping) else {(): self.value}
        for texts, value in values.items():
            pairs = zip(self.labels, texts, strict=True)
            labels = ",".join(f'{label}="{escaped(text)}"' for label, text in pairs)
            yield f"{name}{f'{{{labels}}}' if labels else ''} {_number(value)}\n"


def metrics(publisher: Publisher, requests: Mapping[tuple[str, str], int]) -> Iterator[Metric]:
    """Yield all metrics.

    Args:
        publisher: what is served.
        requests: how many requests were answered, by route and status.
    """
    board, readers = publisher.board, publisher.readers
    people = Counter(row.availability for row in publisher.rows.values())
    yield Metric(
        "extensions",
        "gauge",
        "Extensions on the board.",
        _by(Availability, people),
        ("availability",),
    )
    stale = len(publisher.stale)
    yield Metric("extensions_stale", "gauge", "Extensions that may be out of date.", stale)
    yield Metric("read_errors", "gauge", "Extensions whose last read failed.", len(board.errors))
    yield Metric("board_live", "gauge", "1 if all rows are current, or 0.", publisher.is_live)
    yield Metric("board_age_seconds", "gauge", "Time since RingCentral was heard.", board.age)
    yield Metric(
        "changes_total",
        "counter",
        "Changes of the board, by where they were found.",
        _by(ChangeSource, publisher.changes),
        ("source",),
    )
    lost = publisher.interruptions
    yield Metric("interruptions_total", "counter", "Times the board ceased to be live.", lost)
    yield Metric("readers", "gauge", "Open streams of changes.", len(readers))
    yield Metric(
        "readers_dropped_total",
        "counter",
        "Streams that were ended because they were slow.",
        _by(Dropped, readers.dropped),
        ("reason",),
    )
    refused = readers.refused
    yield Metric("readers_refused_total", "counter", "Streams refused: too many open.", refused)
    yield Metric(
        "http_requests_total", "counter", "Requests answered.", requests, ("route", "status")
    )


def exposition(found: Iterable[Metric]) -> str:
    """Return metrics in the text format."""
    return "".join(line for each in found for line in each.lines())


def _by(kinds: Iterable[str], counts: Mapping[Any, int]) -> Value:
    return {(str(kind),): counts.get(kind, 0) for kind in kinds}


def escaped(text: str) -> str:
    """Return the value of a label, escaped."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return "+Inf" if value == inf else str(value + 0)
