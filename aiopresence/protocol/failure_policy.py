"""What to do about each kind of error in each context: the failure policy of the library.

Theory. An error is first classified (`kind_of`); one table, `POLICY`, then states what to do about
each kind in each context. The contexts differ because the costs of a wrong decision do:

- a read can be repeated without harm;
- a write is repeated only when the failed attempt cannot have been applied;
- a login without a token in its response is a failure of something in front of the server;
- a task that runs until it is stopped (a board, a stream, polling, the upkeep of a webhook) stops
  with the first refusal while it has never worked, because something is most likely set up
  wrongly. Once it has worked it goes on through everything but a refusal that is confirmed; see
  `protocol.retry.RestartPolicy`;
- the response about one id of a batch may say that this id cannot be read at all. That concerns
  the id only, and reading it again would not help.

What follows from an error beyond trying again is decided where it is done:

- `transport/authorized.py`: after a 401 the request is sent with a new token first;
- `bulk.py`: AuthError and UsageError end the call; all others are outcomes of the ids concerned;
- `protocol/batch.py`, `divisible`: which refusals of a batch lead to smaller batches;
- `live/polling.py`: without permission for the account's list, extensions are read by their ids;
- `live/board_feed.py`: when filters are refused, extensions that do not exist are left out;
- `webhooks/subscription.py`: a subscription that does not exist any more is created again.

Sources: RingCentral guide, "Error handling" and "API rate limits". Which statuses pass is inferred
where the guide does not say.
"""

from enum import Enum, auto
from typing import NamedTuple

from ..errors import (
    ApiError,
    AuthError,
    ConnectionFailed,
    DecodeError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PresenceError,
    RateLimited,
    ServerError,
    SessionLost,
    Timeout,
    UsageError,
)

# RingCentral refuses a request as a duplicate of one that it is still working on. No rate limit.
_DUPLICATE_REQUEST = "CMN-304"
# A subscription is refused for now: too many subscriptions; the webhook did not respond.
_SUBSCRIPTION_CODES = frozenset({"SUB-505", "SUB-525"})
# The first are RingCentral's; beyond 511 no status is registered, and those seen are of proxies.
_OUTAGES, _UNREGISTERED = frozenset({500, 502, 503, 504}), 512
_TOO_EARLY = frozenset({408, 425})
# Statuses of one id that say that it does not exist, or not for this user.
_NO_SUCH_ID = frozenset({400, 410})


class Action(Enum):
    """What to do about an error."""

    RETRY = auto()
    RETRY_ONCE = auto()
    # Try again, and stop if the same refusal is confirmed; see `protocol.retry.RestartPolicy`.
    CONFIRM = auto()
    # Give up this id of a batch; the others are not concerned.
    SKIP_ID = auto()
    STOP = auto()


class Kind(Enum):
    """The kinds of errors that are treated differently."""

    NOT_SENT = auto()  # there was no connection
    CONNECTION_LOST = auto()
    UNTRUSTED = auto()  # no connection will be made, as with a wrong certificate
    TIMEOUT = auto()
    UNREADABLE = auto()  # the response cannot be decoded
    CREDENTIALS = auto()  # they were refused
    TOKENS = auto()  # newly issued access tokens were rejected
    FORBIDDEN = auto()  # 403
    NOT_FOUND = auto()  # 404
    INVALID = auto()  # 400, 410
    OTHER_4XX = auto()
    SUBSCRIPTION_LATER = auto()  # SUB-505, SUB-525
    TOO_EARLY = auto()  # 408, 425
    RATE_LIMITED = auto()  # 429
    DUPLICATE = auto()  # 429 with CMN-304
    HELD_BACK = auto()  # not sent, because the rate limit would delay it longer than max_wait
    OUTAGE = auto()  # 500, 502, 503, 504, and statuses of proxies
    OVERLOADED = auto()  # 503 with Retry-After
    OTHER_5XX = auto()
    SESSION_LOST = auto()
    USAGE = auto()
    OTHER = auto()


class Policy(NamedTuple):
    """What to do about one kind of error, by context.

    Attributes:
        read: a request that changes nothing.
        write: a request that may change something.
        login: a request for a token.
        starting: a long-running task that has never worked.
        running: a long-running task that has worked.
        filters: the same, when its event filters are refused.
        record: the response about one id of a batch.
    """

    read: Action
    write: Action
    login: Action
    starting: Action
    running: Action
    filters: Action
    record: Action


_RETRY, _ONCE, _CONFIRM, _SKIP, _STOP = Action

# fmt: off
POLICY = {
    # Kind                            read    write   login   starting running filters   record
    Kind.NOT_SENT:             Policy(_RETRY, _RETRY, _RETRY, _RETRY, _RETRY,   _RETRY,   _RETRY),
    Kind.CONNECTION_LOST:      Policy(_RETRY, _STOP,  _RETRY, _RETRY, _RETRY,   _RETRY,   _RETRY),
    Kind.UNTRUSTED:            Policy(_STOP,  _STOP,  _STOP,  _STOP,  _RETRY,   _RETRY,   _RETRY),
    Kind.TIMEOUT:              Policy(_RETRY, _STOP,  _RETRY, _RETRY, _RETRY,   _RETRY,   _RETRY),
    Kind.UNREADABLE:           Policy(_ONCE,  _STOP,  _RETRY, _RETRY, _RETRY,   _RETRY,   _RETRY),
    Kind.CREDENTIALS:          Policy(_STOP,  _STOP,  _STOP,  _STOP,  _CONFIRM, _CONFIRM, _RETRY),
    Kind.TOKENS:               Policy(_STOP,  _STOP,  _STOP,  _RETRY, _RETRY,   _RETRY,   _RETRY),
    Kind.FORBIDDEN:            Policy(_STOP,  _STOP,  _STOP,  _STOP,  _CONFIRM, _CONFIRM, _SKIP),
    Kind.NOT_FOUND:            Policy(_STOP,  _STOP,  _STOP,  _STOP,  _RETRY,   _CONFIRM, _SKIP),
    Kind.INVALID:              Policy(_STOP,  _STOP,  _STOP,  _STOP,  _RETRY,   _CONFIRM, _SKIP),
    Kind.OTHER_4XX:            Policy(_STOP,  _STOP,  _STOP,  _STOP,  _RETRY,   _CONFIRM, _RETRY),
    Kind.SUBSCRIPTION_LATER:   Policy(_STOP,  _STOP,  _STOP,  _STOP,  _RETRY,   _RETRY,   _SKIP),
    Kind.TOO_EARLY:            Policy(_ONCE,  _STOP,  _ONCE,  _RETRY, _RETRY,   _RETRY,   _RETRY),
    Kind.RATE_LIMITED:         Policy(_RETRY, _RETRY, _RETRY, _RETRY, _RETRY,   _RETRY,   _RETRY),
    Kind.DUPLICATE:            Policy(_RETRY, _RETRY, _RETRY, _RETRY, _RETRY,   _RETRY,   _RETRY),
    Kind.HELD_BACK:            Policy(_STOP,  _STOP,  _STOP,  _RETRY, _RETRY,   _RETRY,   _RETRY),
    Kind.OUTAGE:               Policy(_RETRY, _STOP,  _RETRY, _RETRY, _RETRY,   _RETRY,   _RETRY),
    Kind.OVERLOADED:           Policy(_RETRY, _RETRY, _RETRY, _RETRY, _RETRY,   _RETRY,   _RETRY),
    Kind.OTHER_5XX:            Policy(_STOP,  _STOP,  _STOP,  _RETRY, _RETRY,   _RETRY,   _RETRY),
    Kind.SESSION_LOST:         Policy(_STOP,  _STOP,  _STOP,  _STOP,  _RETRY,   _RETRY,   _RETRY),
    Kind.USAGE:                Policy(_STOP,  _STOP,  _STOP,  _STOP,  _STOP,    _STOP,    _RETRY),
    Kind.OTHER:                Policy(_STOP,  _STOP,  _STOP,  _RETRY, _RETRY,   _RETRY,   _RETRY),
}
# fmt: on


def policy_for(error: PresenceError) -> Policy:
    """Return what to do about an error, by context."""
    return POLICY[kind_of(error)]


def kind_of(error: PresenceError) -> Kind:
    """Return the kind of an error."""
    if isinstance(error, ApiError):
        return _kind_of_response(error)
    if isinstance(error, ConnectionFailed):
        if error.final:
            return Kind.UNTRUSTED
        return Kind.CONNECTION_LOST if error.sent else Kind.NOT_SENT
    return next((kind for cls, kind in _BY_CLASS.items() if isinstance(error, cls)), Kind.OTHER)


_BY_CLASS: dict[type[PresenceError], Kind] = {
    Timeout: Kind.TIMEOUT,
    DecodeError: Kind.UNREADABLE,
    SessionLost: Kind.SESSION_LOST,
    UsageError: Kind.USAGE,
}


def _kind_of_response(error: ApiError) -> Kind:
    if isinstance(error, AuthError):
        return Kind.CREDENTIALS if error.final else Kind.TOKENS
    if isinstance(error, PermissionDenied):
        return Kind.FORBIDDEN
    if isinstance(error, RateLimited):
        return _kind_of_429(error)
    if isinstance(error, ServerError):
        return _kind_of_5xx(error)
    if isinstance(error, (InvalidRequest, NotFound)):
        return _kind_of_4xx(error)
    return Kind.OTHER


def _kind_of_429(error: RateLimited) -> Kind:
    if not error.sent:
        return Kind.HELD_BACK
    return Kind.DUPLICATE if error.error_code == _DUPLICATE_REQUEST else Kind.RATE_LIMITED


def _kind_of_5xx(error: ServerError) -> Kind:
    if error.http_status == 503 and error.retry_after:
        return Kind.OVERLOADED
    is_outage = error.http_status in _OUTAGES or error.http_status >= _UNREGISTERED
    return Kind.OUTAGE if is_outage else Kind.OTHER_5XX


def _kind_of_4xx(error: InvalidRequest | NotFound) -> Kind:
    if error.error_code in _SUBSCRIPTION_CODES:
        return Kind.SUBSCRIPTION_LATER
    if isinstance(error, NotFound):
        return Kind.NOT_FOUND
    if error.http_status in _TOO_EARLY:
        return Kind.TOO_EARLY
    return Kind.INVALID if error.http_status in _NO_SUCH_ID else Kind.OTHER_4XX
