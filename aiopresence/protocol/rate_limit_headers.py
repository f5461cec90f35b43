"""Parse the rate limit headers of a response.

Source: RingCentral guide, "API rate limits"; RFC 9110 §10.2.3.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

import attrs

Headers = Mapping[str, str]

# RingCentral's documentation has both spellings.
_PREFIXES = ("x-rate-limit-", "x-ratelimit-")
# What can be the name of a group. The names are logged, so a server must not put anything there.
_GROUP = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,31}")
# RingCentral's window is a minute. A value above an hour is a mistake, such as milliseconds.
MAX_STATED_WINDOW = 3600.0
MAX_LIMIT = 10_000
# Of a Retry-After: thirty years, which fits into every calculation.
LONGEST_STATED = 1e9


@attrs.frozen
class StatedLimits:
    """The rate limit of a group as a response states it; None where it states nothing usable.

    Attributes:
        limit: requests allowed in a window.
        window: length of the window in seconds.
        remaining: requests left in the window.
    """

    limit: int | None
    window: float | None
    remaining: int | None


def read_limits(headers: Headers) -> StatedLimits:
    """Return the limits in headers, which may be missing or invalid."""
    limit = _first_number(headers, "limit")
    window = _first_number(headers, "window")
    remaining = _first_number(headers, "remaining")
    return StatedLimits(
        int(min(limit, MAX_LIMIT)) if limit and limit >= 1 else None,
        window if window and window <= MAX_STATED_WINDOW else None,
        None if remaining is None else int(remaining),
    )


def has_limits(headers: Headers) -> bool:
    """Return whether a response has any rate limit header."""
    return any(name.startswith(_PREFIXES) for name in headers)


@lru_cache(maxsize=256)
def group_name(text: str) -> str:
    """Return the normalized name of a group; its case varies in RingCentral's headers."""
    return text.strip()[:64].capitalize()


def group_of(headers: Headers) -> str | None:
    """Return the group that a response states, or None if it states none that can be a name."""
    for prefix in _PREFIXES:
        name = headers.get(f"{prefix}group", "").strip()
        if _GROUP.fullmatch(name):
            return group_name(name)
    return None


def retry_after(headers: Headers) -> float | None:
    """Return the seconds in Retry-After; None if it is absent or invalid.

    Of several numbers the largest counts; a fraction is not allowed, and understood. A date is
    compared with the Date of the response, because the local clock may be wrong.
    """
    text = headers.get("retry-after", "")
    texts = re.split(r"\s*,\s*", text.strip())
    seconds = [float(each) for each in texts if re.fullmatch(r"[0-9]+(\.[0-9]*)?", each)]
    if seconds:
        return min(max(seconds), LONGEST_STATED)
    until, now = read_date(text), read_date(headers.get("date", ""))
    return None if until is None or now is None else max(0.0, (until - now).total_seconds())


def read_date(text: str) -> datetime | None:
    """Return the time in a header; None if it is not a date, or has no time zone."""
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return date if date.tzinfo else None


def _first_number(headers: Headers, name: str) -> float | None:
    for prefix in _PREFIXES:
        number = _number(headers.get(prefix + name, ""))
        if number is not None:
            return number
    return None


# Nearly all responses have the same few numbers.
@lru_cache(maxsize=1024)
def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", text) else None
