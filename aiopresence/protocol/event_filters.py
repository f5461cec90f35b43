"""Check the event filters of a subscription, and redact and read those of a response.

Source: RingCentral API reference, "Events".
"""

import re
from collections.abc import Iterable
from functools import cache

import attrs

from ..errors import UsageError, short_repr
from ..models import DisabledFilterInfo, SubscriptionInfo
from ..redaction import Redactor
from .urls import is_path

_EXTENSION = re.compile(r"/extension/([0-9]+)/")


def disabled_extensions(filters: Iterable[DisabledFilterInfo]) -> frozenset[str]:
    """Return the extensions whose event filters are disabled."""
    matches = (_EXTENSION.search(each.filter or "") for each in filters)
    return frozenset(match[1] for match in matches if match)


def check_filters(event_filters: Iterable[str]) -> tuple[str, ...]:
    """Return event filters without those that a detailed filter of the same path includes.

    Raises:
        UsageError: there are none, or one of them cannot be an event filter.
    """
    wrong = UsageError("event_filters must be filters, such as [filters.account_presence()]")
    if isinstance(event_filters, (str, bytes)) or not isinstance(event_filters, Iterable):
        raise wrong
    filters = [*event_filters]
    if not filters or not all(isinstance(each, str) and is_path(_path(each)) for each in filters):
        raise wrong
    for each in filters:
        if not each.isascii() or not each.isprintable() or " " in each:
            raise UsageError(
                f"{short_repr(each)} has characters that are not allowed in event filters"
            )
    detailed = {_path(each) for each in filters if _is_detailed(each)}
    unique = dict.fromkeys(filters)
    return tuple(each for each in unique if _is_detailed(each) or _path(each) not in detailed)


def _path(event_filter: str) -> str:
    return event_filter.partition("?")[0]


def _is_detailed(event_filter: str) -> bool:
    flags = event_filter.partition("?")[2].split("&")
    return "detailedTelephonyState=true" in flags or "sipData=true" in flags


def redact(info: SubscriptionInfo, redactor: Redactor) -> SubscriptionInfo:
    """Return a subscription without secrets in its disabled filters, which are shown and logged."""
    if not info.disabled_filters:
        return info
    shown = cache(lambda text: text and redactor.text(text))  # Most reasons and messages are equal.
    disabled = tuple(
        DisabledFilterInfo(shown(each.filter), shown(each.reason), shown(each.message))
        for each in info.disabled_filters
    )
    return attrs.evolve(info, disabled_filters=disabled)
