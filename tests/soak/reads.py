"""Reads: lists and iterations in both formats and by all routes, and single ones."""

import time
from collections.abc import Sequence
from typing import Any

from aiopresence import PresenceError

from . import checks
from .activity import Activity

_ROUTES = ("batches", "account", "fastest")
_UNKNOWN = "99999999999"
# Seconds in which nothing may be sent after a 429 without Retry-After; somewhat less than 30.
_SILENCE = 29.0


def _some_ids(activity: Activity) -> list[str]:
    """Return some ids in any order, some twice, and sometimes one that does not exist."""
    chance, known = activity.chance, activity.account.ids
    ids = chance.choices(known, k=chance.randint(1, len(known)))
    if chance.random() < 0.2:
        ids.insert(chance.randrange(len(ids)), _UNKNOWN)
    return ids


def _options(activity: Activity) -> dict[str, Any]:
    return {
        "route": activity.chance.choice(_ROUTES),
        "detailed_telephony_state": activity.chance.random() < 0.5,
    }


async def read_lists(activity: Activity) -> None:
    """Read many extensions in one call."""
    while not activity.stopping.is_set():
        ids, options = _some_ids(activity), _options(activity)
        await _read(activity, ids, activity.session.read_user_presence_statuses(ids, **options))
        await activity.pause(0.15)


async def iterate(activity: Activity) -> None:
    """Iterate over many extensions."""
    while not activity.stopping.is_set():
        ids, options = _some_ids(activity), _options(activity)

        async def collect(ids: list[str] = ids, options: dict[str, Any] = options) -> list[Any]:
            outcomes = activity.session.iter_user_presence_statuses(ids, **options)
            return [each async for each in outcomes]

        await _read(activity, ids, collect())
        await activity.pause(0.15)


async def _read(activity: Activity, ids: Sequence[str], call: Any) -> None:
    with activity.account.call() as known:
        try:
            outcomes = await activity.maybe_cancelled(len(ids), call)
        except PresenceError as error:
            for id_ in ids:
                checks.check_error(activity.tally, id_, error, known())
            return
        if outcomes is not None:
            checks.check_outcomes(activity.tally, ids, outcomes, known())


async def read_singly(activity: Activity) -> None:
    """Read one extension after the other."""
    while not activity.stopping.is_set():
        id_ = activity.chance.choice(activity.account.ids)
        detailed = activity.chance.random() < 0.5
        call = activity.session.read_user_presence_status(id_, detailed_telephony_state=detailed)
        with activity.account.call() as known:
            try:
                record = await activity.maybe_cancelled(1, call)
            except PresenceError as error:
                checks.check_error(activity.tally, id_, error, known())
            else:
                if record is not None:
                    checks.check_record(activity.tally, id_, record, known())
        await activity.pause(0.05)


async def keep_still(activity: Activity) -> None:
    """Read, and count requests that are sent too soon after a 429 without Retry-After."""
    while not activity.stopping.is_set():
        started = time.monotonic()
        await read_once(activity)
        rejected = activity.account.last.get("429 without Retry-After", started)
        if started < rejected < (now := time.monotonic()) < rejected + _SILENCE:
            seconds = f"{now - rejected:.1f} s after a 429 without Retry-After"
            activity.tally.defect("refused", f"a request was sent {seconds}")
        await activity.pause(0.5)


async def read_once(activity: Activity) -> None:
    id_ = activity.account.ids[0]
    with activity.account.call() as known:
        try:
            record = await activity.maybe_cancelled(
                1, activity.session.read_user_presence_status(id_)
            )
        except PresenceError as error:
            checks.check_error(activity.tally, id_, error, known())
        else:
            if record is not None:
                checks.check_record(activity.tally, id_, record, known())
