"""How to read many extensions again and again: by their ids, or by pages of the account.

Batches count in the group Light, pages in Heavy, which allows fewer requests but brings up to a
thousand extensions with each.
"""

from collections.abc import Mapping

import attrs

from ..models import ChangeSource
from .batch import MAX_IDS
from .rate_limits import DEFAULTS, GroupLimits

PAGE = 1000


@attrs.frozen
class Way:
    """One way to read some extensions.

    Attributes:
        source: batches, or pages of the account.
        requests: how many requests it takes.
        wait: seconds until the limits have let all of them through.
        interval: seconds after which it can be done again, for ever.
    """

    source: ChangeSource
    requests: int
    wait: float
    interval: float


def choose(ids: int, size: int, limits: Mapping[str, GroupLimits]) -> Way:
    """Choose the way that can be repeated sooner, unless the other one is over sooner now.

    Args:
        ids: how many extensions are to be read.
        size: how many the account has.
        limits: what is known of the groups, by name.
    """
    batches = _way(ChangeSource.BATCH, -(-ids // MAX_IDS), "Light", limits)
    ways = (batches, pages(max(size, ids), limits))
    return min(ways, key=lambda way: (max(way.wait, way.interval), way.interval))


def pages(size: int, limits: Mapping[str, GroupLimits]) -> Way:
    """Give the way by pages of the account; `choose` tells of the arguments."""
    return _way(ChangeSource.ACCOUNT, max(1, -(-size // PAGE)), "Heavy", limits)


def interval(way: Way, limits: Mapping[str, GroupLimits]) -> float:
    """Give the seconds after which a way can be gone again, as is known now."""
    group = "Light" if way.source is ChangeSource.BATCH else "Heavy"
    return _way(way.source, way.requests, group, limits).interval


def _way(source: ChangeSource, requests: int, group: str, limits: Mapping[str, GroupLimits]) -> Way:
    known = limits.get(group, DEFAULTS[group])
    left = known.limit if known.remaining is None else known.remaining
    each = known.window / known.limit
    wait = known.blocked_for + max(0, requests - left) * each
    return Way(source, requests, wait, requests * each)
