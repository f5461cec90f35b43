"""Checks of the API: one call of each kind, and events."""

import time

from ... import PresenceInfoRequest
from .context import CheckContext, CheckFailed, CheckSkipped


async def own_presence(context: CheckContext) -> str:
    """Read one's own presence."""
    context.own = await context.session.read_user_presence_status()
    return "read"


async def write(context: CheckContext) -> str:
    """Set one's own presence to its current value."""
    own = context.own
    if own is None or own.user_status is None:
        raise CheckSkipped("this extension has no presence of its own")
    # A field that other users do not see: no harm if it changes between the read and the write.
    same = PresenceInfoRequest(ring_on_monitored_call=own.ring_on_monitored_call)
    if own.ring_on_monitored_call is None:
        same = PresenceInfoRequest(user_status=own.user_status)
    await context.session.update_user_presence_status(same)
    return "your own presence was set to its current value"


async def directory(context: CheckContext) -> str:
    """Report whether the directory is readable; the login check has tried."""
    if context.directory_error is not None:
        raise context.directory_error
    return "your own record was read"


async def account_page(context: CheckContext) -> str:
    """Read the first extensions of the account."""
    page = await context.session.read_account_presence(per_page=10)
    ids = [each.extension.id for each in page.records or () if each.extension]
    context.ids = tuple(id_ for id_ in ids if id_ is not None)
    if not context.ids:
        raise CheckFailed("the account has no extensions; see doctor --drift")
    return f"{len(context.ids)} extensions read"


async def batch(context: CheckContext) -> str:
    """Read two extensions in one request."""
    own = context.own_id
    other = next((id_ for id_ in context.ids if id_ != own), None)
    if other is None:
        raise CheckSkipped("the account has only one extension")
    (await context.session.read_user_presence_statuses([own, other])).raise_for_errors()
    return "read"


async def queue(context: CheckContext) -> str:
    """Read one's own call queues, and the members of the first."""
    queues = (await context.session.read_extension_call_queue_presence()).records or ()
    ids = [each.call_queue.id for each in queues if each.call_queue and each.call_queue.id]
    if not ids:
        return "read; you are not a member of a call queue"
    await context.session.read_call_queue_presence(ids[0])
    return f"read the first of your call queues ({len(ids)})"


async def unified(context: CheckContext) -> str:
    """Read one's own unified presence."""
    await context.session.read_unified_presence()
    return "read"


async def events(context: CheckContext) -> str:
    """Connect, subscribe, and check that the connection is live."""
    began = time.monotonic()
    async with context.session.board([context.own_id], refresh=None) as board:
        await board.wait_ready()
        if board.disabled_filters:
            raise CheckFailed("RingCentral refused to send events of your own presence")
        if not board.is_live:
            raise CheckFailed("connected, but no message was received: try again")
    return f"connected and subscribed in {time.monotonic() - began:.1f} s"
