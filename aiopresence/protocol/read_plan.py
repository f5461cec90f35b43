"""Choose how to read many extensions: in batches of ids, by pages of the account, or by both.

A batch has at most 30 ids and counts in the group Light. A page has at most 1,000 extensions and
counts in Heavy, which allows fewer requests. So small accounts are read faster by pages, and a few
extensions of a large account faster in batches. The current limits decide.

`plan_route` is for one read, which is to be complete as soon as possible. `best_plan` is for a read
that is repeated, as a poll does, and also considers how often the limits allow it.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import cache
from math import ceil

import attrs

from ..models import ChangeSource
from .batch import MAX_IDS
from .rate_limits import DEFAULTS, GroupLimits

# Extensions per page: the most that RingCentral returns. Source: API reference, "perPage".
PAGE_SIZE = 1000
# Seconds that a response takes, to compare routes that need not wait for the limits. Guesses: the
# server computes a page of 1,000 records.
BATCH_SECONDS, PAGE_SECONDS = 0.3, 1.0
# A page uses up as much of its limit as so many batches do of theirs, by the default limits.
PAGE_WEIGHT = 5
# Routes whose times differ by less than this fraction, or than so many seconds, count as equally
# fast. A guess.
SIMILAR, SIMILAR_SECONDS = 0.05, 2.0
# So many numbers of pages are compared at most. With more pages, not each number is tried.
MAX_CHOICES = 100

# Returns the seconds until the nth request of a kind may be sent, from 1.
Wait = Callable[[int], float]


@attrs.frozen
class RoutePlan:
    """One way to read some extensions once.

    Attributes:
        pages: how many more pages of the account to read, from the next one on.
        first_pages: how many of them to read before the first batch.
        batches: how many batches are expected for the extensions that none of the pages has.
        seconds: how long it takes, about.
    """

    pages: int
    first_pages: int
    batches: int
    seconds: float

    @property
    def weight(self) -> int:
        """How much of the limits it uses, in batches."""
        return PAGE_WEIGHT * self.pages + self.batches


def plan_route(
    ids: int, pages: int, page_wait: Wait, batch_wait: Wait, concurrency: int
) -> RoutePlan:
    """Return the fastest way to read some extensions; of similar ones that with least requests.

    The extensions are taken to be spread evenly over the pages. Pages that the limits allow at once
    come before the first batch, because what they have needs no batch; the others are read at the
    same time as the batches.

    Args:
        ids: how many extensions to read.
        pages: the pages of the account that have not been read.
        page_wait: when the limits allow the next pages.
        batch_wait: when they allow the next batches.
        concurrency: how many requests may be in flight.
    """
    page_wait, batch_wait = cache(page_wait), cache(batch_wait)
    step = ceil(max(1, pages) / MAX_CHOICES)
    plans = []
    for count in sorted({*range(0, pages, step), pages}):
        batches = ceil(ids * (pages - count) / pages / MAX_IDS) if pages else ceil(ids / MAX_IDS)
        first_pages = _allowed_at_once(count, page_wait) if batches else count
        by_pages = _seconds(count, page_wait, PAGE_SECONDS, concurrency)
        before = PAGE_SECONDS * ceil(first_pages / concurrency)
        by_batches = before + _seconds(batches, batch_wait, BATCH_SECONDS, concurrency)
        took = max(by_pages, by_batches) if batches else by_pages
        plans.append(RoutePlan(count, first_pages, batches, took))
    least = min(plan.seconds for plan in plans)
    longest = least + max(SIMILAR_SECONDS, SIMILAR * least)
    similar = (plan for plan in plans if plan.seconds <= longest)
    return min(similar, key=lambda plan: (plan.weight, plan.seconds))


def _seconds(requests: int, wait: Wait, each: float, concurrency: int) -> float:
    return wait(requests) + each * ceil(requests / concurrency) if requests else 0.0


def _allowed_at_once(pages: int, wait: Wait) -> int:
    return bisect_right(range(1, pages + 1), SIMILAR_SECONDS, key=wait)


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
