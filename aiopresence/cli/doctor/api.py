"""Checks of the calls, one of each kind, and of events."""

import time

from ... import PresenceInfoRequest
from .context import Patient, SkippedError, TroubleError


async def own_presence(patient: Patient) -> str:
    """Read one's own presence."""
    patient.own = await patient.session.read_user_presence_status()
    return "read"


async def write(patient: Patient) -> str:
    """Set one's own presence to what it already is."""
    own = patient.own
    if own is None or own.user_status is None:
        raise SkippedError("this extension has no presence of its own")
    # A switch that says nothing to colleagues, so that nothing is lost if it changes meanwhile.
    same = PresenceInfoRequest(ring_on_monitored_call=own.ring_on_monitored_call)
    if own.ring_on_monitored_call is None:
        same = PresenceInfoRequest(user_status=own.user_status)
    await patient.session.update_user_presence_status(same)
    return "your own presence was set to what it is"


async def directory(patient: Patient) -> str:
    """Say whether the directory could be read; the login has tried."""
    if patient.no_directory is not None:
        raise patient.no_directory
    return "your own record was read"


async def account_page(patient: Patient) -> str:
    """Read some of the account."""
    page = await patient.session.read_account_presence(per_page=10)
    ids = [each.extension.id for each in page.records or () if each.extension]
    patient.ids = tuple(id_ for id_ in ids if id_ is not None)
    if not patient.ids:
        raise TroubleError("the account has no extensions; see doctor --drift")
    return f"{len(patient.ids)} extensions were read"


async def batch(patient: Patient) -> str:
    """Read two extensions at once."""
    own = patient.own_id
    other = next((id_ for id_ in patient.ids if id_ != own), None)
    if other is None:
        raise SkippedError("the account has one extension only")
    (await patient.session.read_user_presence_statuses([own, other])).raise_for_errors()
    return "read"


async def queue(patient: Patient) -> str:
    """Read one's own call queues, and the first of them."""
    queues = (await patient.session.read_extension_call_queue_presence()).records or ()
    ids = [each.call_queue.id for each in queues if each.call_queue and each.call_queue.id]
    if not ids:
        return "you are in no call queue, which was read"
    await patient.session.read_call_queue_presence(ids[0])
    return f"read, one of your {len(ids)}"


async def unified(patient: Patient) -> str:
    """Read one's own unified presence."""
    await patient.session.read_unified_presence()
    return "read"


async def events(patient: Patient) -> str:
    """Connect, subscribe, and hear that the connection lives."""
    began = time.monotonic()
    async with patient.session.board([patient.own_id], refresh=None) as board:
        await board.wait_ready()
        if board.disabled_filters:
            raise TroubleError("RingCentral brings no events of your own presence")
        if not board.is_live:
            raise TroubleError("connected, but nothing is heard: try again")
    return f"connected and subscribed in {time.monotonic() - began:.1f} s"
