"""Active calls of an extension: what an event or a read says of them, and what it leaves open.

Events are partial and lists are short, so three questions come up with every event:

- A call that is known and not listed any more may have ended, or belong to another leg whose events
  list that leg only (seen in a trace). Unless the phone has no call at all, it is kept, and the
  extension has to be read again.
- An event without a list says that no calls are left if the phone is idle. Otherwise it says
  nothing that can be relied on: RingCentral's own client takes it for "none", while the
  documentation calls events partial.
- `totalActiveCalls` may be more than are listed: then live calls are hidden. Whether it counts
  listed calls that have ended is not documented, so it is compared with the live ones.

A read has no `totalActiveCalls`. That it is absent there is no change.
"""

from collections.abc import Iterable

import attrs

from ..models import ActiveCallInfo, GetPresenceInfo, PresenceEventBody, TelephonyStatus

Calls = tuple[ActiveCallInfo, ...]

# RingCentral lists so many calls at most. Source: API reference, "activeCalls".
MAX_LISTED = 7
_NO_CALL = TelephonyStatus.NO_CALL


def after_event(known: Calls | None, body: PresenceEventBody) -> tuple[Calls | None, bool]:
    """Return the calls after an event with calls, and whether they have to be read again.

    Args:
        known: the calls before it; None when nothing is known.
        body: the event.
    """
    is_idle = _status(body) == _NO_CALL
    live = _live(known or ())
    total = body.total_active_calls
    if body.active_calls is None:
        if is_idle:
            return (), bool(total)
        if total == 0:
            return (), body.telephony_status is not None
        doubtful = body.telephony_status is not None or (total or 0) > len(live)
        return known, doubtful
    listed = body.active_calls
    keys = {_key(call) for call in listed}
    missing = tuple(call for call in live if _key(call) not in keys)
    if is_idle:
        return listed, bool(missing or _live(listed))
    calls = (*listed, *missing)
    hidden = len(_live(calls)) < (total or 0) or (
        body.telephony_status is not None and not _live(calls)
    )
    return calls, bool(missing) or hidden


def total_after_event(
    known: GetPresenceInfo | None, calls: Calls | None, total: int | None
) -> int | None:
    """Return the number of calls after an event; None when none was ever named.

    Args:
        known: the record before the event; None when there is none.
        calls: the calls after the event.
        total: the number in the event; None when it has none.
    """
    before = None if known is None else known.total_active_calls
    if total is not None or known is None or before is None:
        return total if total is not None else before
    return before if known.active_calls == calls else len(_live(calls or ()))


def after_read(old: GetPresenceInfo, new: GetPresenceInfo) -> GetPresenceInfo:
    """Return a record that was read, with what of the calls has not changed as it was before.

    The order of calls, an absent list instead of an empty one and an absent total are no changes.
    """
    calls = new.active_calls
    same = _same(old.active_calls or (), calls or ())
    if same:
        calls = old.active_calls
    total = new.total_active_calls
    if total is None and old.total_active_calls is not None:
        live = len(_live(calls or ()))
        capped = len(calls or ()) >= MAX_LISTED
        total = old.total_active_calls if same else max(live, capped * old.total_active_calls)
    if calls is new.active_calls and total == new.total_active_calls:
        return new
    return attrs.evolve(new, active_calls=calls, total_active_calls=total)


def _status(body: PresenceEventBody) -> TelephonyStatus | None:
    return body.telephony_status or body.aggregated_telephony_status


def _live(calls: Iterable[ActiveCallInfo]) -> Calls:
    return tuple(call for call in calls if call.telephony_status != _NO_CALL)


def _key(call: ActiveCallInfo) -> object:
    return call.id or (call.telephony_session_id, call.party_id, call.session_id)


def _same(some: Calls, others: Calls) -> bool:
    return some == others or (len(some) == len(others) and all(call in others for call in some))
