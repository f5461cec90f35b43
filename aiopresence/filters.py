"""Event filters: which notifications to subscribe to.

Each function returns a filter as RingCentral writes it, for `PresenceSession.events` and
`WebhookReceiver.subscribe`, and raises UsageError for an invalid id. If a plain and a detailed
filter have the same target, only detailed events are sent.

Source: RingCentral API reference, "Events", presence events and their permissions.
"""

from .errors import UsageError
from .ids import Id, parse_id


def account_presence(
    *, detailed: bool = False, sip_data: bool = False, account_id: Id = "~"
) -> str:
    """Return the filter for the presence of every extension; needs ReadAccounts.

    Args:
        detailed: whether events have `active_calls`.
        sip_data: whether their `active_calls` have `sip_data`; implies `detailed`.
        account_id: the account; "~" is the user's own.
    """
    return _account(account_id, "presence") + _query(detailed, sip_data)


def extension_presence(
    extension_id: Id = "~", *, detailed: bool = False, sip_data: bool = False, account_id: Id = "~"
) -> str:
    """Return the filter for the presence of one extension; needs ReadPresence.

    Args:
        extension_id: the extension; "~" is the user's own.
        detailed: whether events have `active_calls`.
        sip_data: whether their `active_calls` have `sip_data`; implies `detailed`.
        account_id: the account; "~" is the user's own.
    """
    return _extension(account_id, extension_id, "presence") + _query(detailed, sip_data)


def extension_lines(extension_id: Id = "~", *, account_id: Id = "~") -> str:
    """Return the filter for changes of a user's presence lines; needs ReadPresence."""
    return _extension(account_id, extension_id, "presence/line")


def extension_lines_presence(
    extension_id: Id = "~", *, detailed: bool = False, sip_data: bool = False, account_id: Id = "~"
) -> str:
    """Return the filter for the presence of a user's presence lines; needs ReadPresence.

    That RingCentral accepts `detailed` and `sip_data` for this filter is inferred, not documented.

    Args:
        extension_id: the user; "~" is the caller.
        detailed: whether events have `active_calls`.
        sip_data: whether their `active_calls` have `sip_data`; implies `detailed`.
        account_id: the account; "~" is the user's own.
    """
    target = _extension(account_id, extension_id, "presence/line/presence")
    return target + _query(detailed, sip_data)


def extension_favorites_presence(
    extension_id: Id = "~", *, detailed: bool = False, sip_data: bool = False, account_id: Id = "~"
) -> str:
    """Return the filter for the presence of a user's favorites; needs ReadPresence.

    That RingCentral accepts `detailed` and `sip_data` for this filter is inferred, not documented.

    Args:
        extension_id: the user; "~" is the caller.
        detailed: whether events have `active_calls`.
        sip_data: whether their `active_calls` have `sip_data`; implies `detailed`.
        account_id: the account; "~" is the user's own.
    """
    return _extension(account_id, extension_id, "favorite/presence") + _query(detailed, sip_data)


def extension_dnd(extension_id: Id = "~", *, account_id: Id = "~") -> str:
    """Return the filter for do-not-disturb of one extension; needs ReadAccounts."""
    return _extension(account_id, extension_id, "presence/dnd")


def call_queue_presence(group_id: Id, *, account_id: Id = "~") -> str:
    """Return the filter for which members accept a queue's calls; needs ReadPresence."""
    return _account(account_id, f"call-queues/{parse_id(group_id, 'group_id')}/presence")


def _account(account_id: Id, tail: str) -> str:
    return f"/restapi/v1.0/account/{parse_id(account_id, 'account_id', tilde=True)}/{tail}"


def _extension(account_id: Id, extension_id: Id, tail: str) -> str:
    id_ = parse_id(extension_id, "extension_id", tilde=True)
    return _account(account_id, f"extension/{id_}/{tail}")


def _query(detailed: bool, sip_data: bool) -> str:
    if not (isinstance(detailed, bool) and isinstance(sip_data, bool)):
        raise UsageError("detailed and sip_data must be True or False")
    flags = ["detailedTelephonyState=true"] * (detailed or sip_data) + ["sipData=true"] * sip_data
    return f"?{'&'.join(flags)}" if flags else ""
