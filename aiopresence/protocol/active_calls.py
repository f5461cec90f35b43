"""Merge the active calls of an extension, and find out when they have to be read again.

Events are partial, and list at most seven calls, so an event may leave open which calls there are:

- A known call that is not listed any more may have ended, or belong to another leg, whose events
  list only that leg (seen in a trace). Unless the phone is idle, the call is kept, and the
  extension has to be read again.
- An event without a list means that there are no calls if the phone is idle. Otherwise it leaves
  the calls open: RingCentral's own client takes it for no calls, while the documentation calls
  events partial.
- If `totalActiveCalls` is larger than the number of listed calls, some are hidden. Whether it
  counts listed calls that have ended is not documented, so it is compared with the live ones.

A read has no `totalActiveCalls`, so its absence there is not a change.
"""

from collections.abc import Iterable

from ..models import ActiveCallInfo, GetPresenceInfo, PresenceEventBody, TelephonyStatus
from .frozen_records import replace

Calls = tuple[ActiveCallInfo, ...]

# The most calls that RingCentral lists. Source: API reference, "activeCalls".
MAX_LISTED = 7
_NO_CALL = TelephonyStatus.NO_CALL


def after_event(known: Calls | None, body: PresenceEventBody) -> tuple[Calls | None, bool]:
    """Return the calls after an event, and whether they have to be read again.

    Args:
        known: the calls before it; None if they are not known.
        body: the event.

    Returns:
        The calls, None if the event leaves them open; and whether that is uncertain.
    """
    statuses = (body.telephony_status, body.aggregated_telephony_status)
    is_busy = any(status not in (None, _NO_CALL) for status in statuses)
    total = body.total_active_calls
    is_idle = _status(body) == _NO_CALL or total == 0
    live = _live(known or ())
    if body.active_calls is None:
        if is_idle:
            return (), is_busy or bool(total)
        return None, is_busy or (total or 0) > len(live)
    listed = body.active_calls
    missing = _missing(live, listed)
    calls = listed if is_idle else (*listed, *missing)
    shown = _live(calls)
    # For an idle phone, calls that have ended may be counted.
    counted = len(calls) if is_idle else len(shown)
    # Status and list contradict each other: an idle phone with a live call, or a busy one without.
    contradicts = (is_idle and (shown or is_busy)) or (is_busy and not shown)
    return calls, bool(missing or contradicts) or (total or 0) > counted


def total_after_event(
    known: GetPresenceInfo | None, calls: Calls | None, total: int | None
) -> int | None:
    """Return the total number of calls after an event; None if no event had one.

    Args:
        known: the record before the event; None if there is none.
        calls: the calls after the event.
        total: the number in the event; None if it has none.
    """
    if total is not None:
        return total
    if known is None or known.total_active_calls is None:
        return None
    return known.total_active_calls if known.active_calls == calls else len(_live(calls or ()))


def after_read(old: GetPresenceInfo, new: GetPresenceInfo) -> GetPresenceInfo:
    """Return a record that was read, with its calls as before if they are the same.

    Another order of calls, an absent list instead of an empty one, and an absent total are not
    changes.
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
    return replace(new, {"active_calls": calls, "total_active_calls": total})


def _status(body: PresenceEventBody) -> TelephonyStatus | None:
    return body.telephony_status or body.aggregated_telephony_status


def _live(calls: Iterable[ActiveCallInfo]) -> Calls:
    return tuple([call for call in calls if call.telephony_status != _NO_CALL])


def _missing(live: Calls, listed: Calls) -> Calls:
    """Return the live calls that are not listed."""
    if not live:  # Which is most often so; the keys would take time.
        return ()
    keys = {_key(call) for call in listed}
    return tuple(call for call in live if _key(call) not in keys)


def _key(call: ActiveCallInfo) -> object:
    return call.id or (call.telephony_session_id, call.party_id, call.session_id)


def may_differ(read: GetPresenceInfo, merged: GetPresenceInfo) -> bool:
    """Return whether calls may be missing or over after events were merged into a read.

    It is unknown whether the read or the events are newer, so only equal calls are certain.
    """
    calls = merged.active_calls or ()
    hidden = (merged.total_active_calls or 0) > max(len(calls), read.total_active_calls or 0)
    return hidden or not _same(read.active_calls or (), calls)


def _same(some: Calls, others: Calls) -> bool:
    return some == others or (len(some) == len(others) and all(call in others for call in some))
