"""Event filters: what to be notified of.

Each function gives the filter as RingCentral writes it, for `PresenceSession.events` and
`WebhookReceiver.subscribe`. If a plain and a detailed filter name the same target, only detailed
events arrive.

Every filter raises UsageError for an id that is none.
Source: RingCentral API reference, "Events", presence events and their permissions.
"""

from .errors import UsageError
from .ids import Id, parse_id


def account_presence(
    *, detailed: bool = False, sip_data: bool = False, account_id: Id = "~"
) -> str:
    """Presence of every extension of the account. Needs the permission ReadAccounts.

    Args:
        detailed: with `active_calls`.
        sip_data: with their `sip_data` too, and so with `active_calls`.
        account_id: which account; "~" is the user's own.
    """
    return _account(account_id, "presence") + _query(detailed, sip_data)


def extension_presence(
    extension_id: Id = "~", *, detailed: bool = False, sip_data: bool = False, account_id: Id = "~"
) -> str:
    """Presence of one extension. Needs the permission ReadPresence.

    Args:
        extension_id: whose; "~" is the user's own.
        detailed: with `active_calls`.
        sip_data: with their `sip_data` too, and so with `active_calls`.
        account_id: of which account.
    """
    return _extension(account_id, extension_id, "presence") + _query(detailed, sip_data)


def extension_lines(extension_id: Id = "~", *, account_id: Id = "~") -> str:
    """Which extensions a user's presence lines show. Needs the permission ReadPresence."""
    return _extension(account_id, extension_id, "presence/line")


def extension_lines_presence(
    extension_id: Id = "~", *, detailed: bool = False, sip_data: bool = False, account_id: Id = "~"
) -> str:
    """Presence of those on a user's presence lines. Needs the permission ReadPresence.

    That RingCentral accepts `detailed` and `sip_data` here is inferred, not documented.

    Args:
        extension_id: whose lines; "~" is the user's own.
        detailed: with `active_calls`.
        sip_data: with their `sip_data` too, and so with `active_calls`.
        account_id: of which account.
    """
    target = _extension(account_id, extension_id, "presence/line/presence")
    return target + _query(detailed, sip_data)


def extension_favorites_presence(
    extension_id: Id = "~", *, detailed: bool = False, sip_data: bool = False, account_id: Id = "~"
) -> str:
    """Presence of a user's favorites. Needs the permission ReadPresence.

    That RingCentral accepts `detailed` and `sip_data` here is inferred, not documented.

    Args:
        extension_id: whose favorites; "~" is the user's own.
        detailed: with `active_calls`.
        sip_data: with their `sip_data` too, and so with `active_calls`.
        account_id: of which account.
    """
    return _extension(account_id, extension_id, "favorite/presence") + _query(detailed, sip_data)


def extension_dnd(extension_id: Id = "~", *, account_id: Id = "~") -> str:
    """Do-not-disturb of one extension. Needs the permission ReadAccounts."""
    return _extension(account_id, extension_id, "presence/dnd")


def call_queue_presence(group_id: Id, *, account_id: Id = "~") -> str:
    """Whether the members of a call queue take its calls. Needs the permission ReadPresence."""
    return _account(account_id, f"call-queues/{parse_id(group_id, 'group_id')}/presence")


def _account(account_id: Id, tail: str) -> str:
    return f"/restapi/v1.0/account/{parse_id(account_id, 'account_id', tilde=True)}/{tail}"


def _extension(account_id: Id, extension_id: Id, tail: str) -> str:
    id_ = parse_id(extension_id, "extension_id", tilde=True)
    return _account(account_id, f"extension/{id_}/{tail}")


def _query(detailed: bool, sip_data: bool) -> str:
    if not (isinstance(detailed, bool) and isinstance(sip_data, bool)):
        raise UsageError("detailed and sip_data are True or False")
    flags = ["detailedTelephonyState=true"] * (detailed or sip_data) + ["sipData=true"] * sip_data
    return f"?{'&'.join(flags)}" if flags else ""
