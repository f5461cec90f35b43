"""The event filters of a board."""

from ..filters import account_presence, extension_presence
from ..protocol.endpoints import ReadOptions

# The largest number of filters in one subscription that is known to work. A board of more
# extensions follows the whole account.
MAX_FILTERS = 2000


def board_filters(
    ids: frozenset[str] | None, options: ReadOptions, unavailable: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Return the event filters for the presence of some extensions.

    Args:
        ids: the extensions; None for all of the account.
        options: the account, and which fields are needed.
        unavailable: extensions that a subscription is refused for.
    """
    account = options.account_id
    detailed, sip_data = bool(options.detailed_telephony_state), bool(options.sip_data)
    if ids is None or len(ids) > MAX_FILTERS:
        return (account_presence(detailed=detailed, sip_data=sip_data, account_id=account),)
    return tuple(
        extension_presence(id_, detailed=detailed, sip_data=sip_data, account_id=account)
        for id_ in sorted(ids - unavailable)
    )
