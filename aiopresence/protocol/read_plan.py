"""Choose how to read many extensions: in batches of ids, or by pages of the account.

A batch has at most 30 ids and counts in the group Light. A page has at most 1,000 extensions and
counts in Heavy, which allows fewer requests. So small accounts are read faster by pages, and a few
extensions of a large account faster in batches. The current limits decide.
"""

from collections.abc import Mapping

import attrs

from ..models import ChangeSource
from .batch import MAX_IDS
from .rate_limits import DEFAULTS, GroupLimits

# Extensions per page: the most that RingCentral returns. Source: API reference, "perPage".
PAGE_SIZE = 1000


@attrs.frozen
class ReadPlan:
    """One way to read some extensions.

    Attributes:
        source: batches, or pages of the account.
        requests: the number of requests.
        wait: seconds until the limits allow the last of them.
        interval: seconds between two such reads that the limits sustain.
    """

    source: ChangeSource
    requests: int
    wait: float
    interval: float


def best_plan(ids: int, size: int, limits: Mapping[str, GroupLimits]) -> ReadPlan:
    """Return the plan that is complete and repeatable sooner.

    Args:
        ids: how many extensions to read.
        size: how many the account has.
        limits: the known limits, by group.
    """
    plans = (batch_plan(ids, limits), account_plan(max(size, ids), limits))
    return min(plans, key=lambda plan: (max(plan.wait, plan.interval), plan.interval))


def batch_plan(ids: int, limits: Mapping[str, GroupLimits]) -> ReadPlan:
    """Return the plan to read extensions in batches of ids; see `best_plan`."""
    return _plan(ChangeSource.BATCH, -(-ids // MAX_IDS), limits)


def account_plan(size: int, limits: Mapping[str, GroupLimits]) -> ReadPlan:
    """Return the plan to read all extensions of the account by pages; see `best_plan`."""
    return _plan(ChangeSource.ACCOUNT, max(1, -(-size // PAGE_SIZE)), limits)


def sustained_interval(plan: ReadPlan, limits: Mapping[str, GroupLimits]) -> float:
    """Return the interval of a plan under the limits that are known now."""
    return _plan(plan.source, plan.requests, limits).interval


def _plan(source: ChangeSource, requests: int, limits: Mapping[str, GroupLimits]) -> ReadPlan:
    group = "Light" if source is ChangeSource.BATCH else "Heavy"
    known = limits.get(group, DEFAULTS[group])
    available = known.limit if known.remaining is None else known.remaining
    seconds_per_slot = known.window / known.limit
    wait = known.blocked_for + max(0, requests - available) * seconds_per_slot
    return ReadPlan(source, requests, wait, requests * seconds_per_slot)
