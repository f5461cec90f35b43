"""Share the rate limits of a login between processes and machines.

Theory. RingCentral counts the requests of a user and app together, wherever they come from. So the
slots of `protocol/rate_limits.py` are granted in one place: a script in Redis decides for all
(`limits.lua`), on one clock. A process keeps its queues, `concurrency` and `max_wait`
(`transport/request_queue.py`); the first requests of its queues wait for slots instead of for
time.

- `limit_group.py` decides when to call the script, and has the slots in hand.
- `limit_calls.py` has the format of calls and replies.
- `login_limits.py` runs the calls, one task per group, and listens to messages.
- `own_seat.py` is what a process sends while Redis does not work, with outage="share".

What a process must not do is to send without a slot that others know of. So a slot is taken in
Redis before it is used, is reported afterwards, and is held for a dead process until it cannot
matter any more. While Redis does not work nothing is sent: falling back at once and never
exceeding the quota contradict each other, because those who still reach Redis go on.
"""

from collections.abc import Mapping
from typing import Any, Literal

from ..errors import UsageError
from ..grants import AccessToken, Grant
from ..models.validation import seconds
from ..protocol import oauth
from ..protocol.rate_limit_groups import parse_presets
from ..protocol.rate_limits import GroupLimits
from ..transport.clock import Clock
from .connection import Connection, RedisLike
from .login_limits import RedisLoginLimits

_MAX_PROCESSES = 1000


class RedisLimits:
    """Rate limits that processes share through Redis: `PresenceSession(limits=RedisLimits(url))`.

    All processes that use one app as one user must use it, with the same Redis, `prefix`, `scope`,
    `outage` and `processes`. An object can be used by any number of sessions.

    Args:
        redis: the URL of a Redis, or a client of redis.asyncio, which is not closed. Besides
            redis://, rediss:// and unix://, redis+sentinel://host,host/name and
            redis+cluster://host,host are URLs.
        limits: the rate limits of usage-plan groups by name, as `PresenceSession(limits=…)`.
        scope: the owner of the quota. None is the server, the app and the credentials. Processes
            whose credentials differ for the same app and user, such as two JWTs, need the same
            scope; an access token needs one, because it does not show whose it is.
        outage: what to do while Redis does not work: "hold" sends nothing; "share" sends the
            limit divided by `processes`, some seconds and one window later. Then a process that
            crashes takes its share along, until another one starts or for an hour.
        processes: the number of processes, for outage="share". One that uses several event loops,
            or several logins of one scope, counts as so many.
        name: with outage="share" a name that only this process has, also after a restart, such as
            that of its pod: it then has its share again at once.
        timeout: seconds (or a timedelta) in which Redis must reply.
        require: whether opening a session fails with RedisFailed if Redis does not work. If False
            the session opens, and waits for Redis.
        prefix: what all keys in Redis begin with.

    Raises:
        UsageError: an argument is wrong.
    """

    def __init__(
        self,
        redis: RedisLike,
        *,
        limits: Mapping[str, GroupLimits | int] | None = None,
        scope: str | None = None,
        outage: Literal["hold", "share"] = "hold",
        processes: int | None = None,
        name: str | None = None,
        timeout: Any = 0.25,
        require: bool = True,
        prefix: str = "aiopresence",
    ) -> None:
        self._presets = parse_presets(limits)
        self._scope, self._name = _text("scope", scope), _text("name", name)
        if outage not in ("hold", "share"):
            raise UsageError('outage must be "hold" or "share"')
        if (processes is None) != (outage == "hold"):
            raise UsageError('processes must be given for outage="share", and only then')
        if processes is not None and not _is_count(processes):
            raise UsageError(f"processes must be an int from 1 to {_MAX_PROCESSES}")
        self._seats = processes or 0
        self._require = require
        self._timeout = seconds("timeout", timeout)
        self._redis, self._prefix = redis, prefix
        # Which limits have the name, by their owner.
        self._named: dict[str, RedisLoginLimits] = {}
        self._address = self._connect().address

    def __repr__(self) -> str:
        return f"RedisLimits({self._address!r})"

    @property
    def presets(self) -> Mapping[str, GroupLimits]:
        """The limits of groups to assume before the server states them."""
        return self._presets

    def limits_of(self, server: str, grant: AccessToken | Grant, clock: Clock) -> RedisLoginLimits:
        """Return the limits of a login, to be opened.

        Raises:
            UsageError: the login is an access token, and there is no `scope`.
        """
        if self._scope:
            owner = self._scope
        elif isinstance(grant, AccessToken):
            raise UsageError(
                "an access token does not show whose quota it uses: give RedisLimits a scope"
            )
        else:
            owner = oauth.store_key(server, grant)
        named, last = self._new(owner, self._name, clock), self._named.get(owner)
        if last is not None and last.is_closed:
            self._named.pop(owner, None)
        # In another event loop, or with another login of this scope, it needs a seat of its own.
        is_first = self._named.setdefault(owner, named) is named
        return named if is_first else self._new(owner, "", clock)

    def _new(self, owner: str, name: str, clock: Clock) -> RedisLoginLimits:
        return RedisLoginLimits(
            self._connect,
            owner,
            self._presets,
            reply_time=self._timeout,
            require=self._require,
            seats=self._seats,
            name=name,
            clock=clock,
        )

    def _connect(self) -> Connection:
        return Connection(self._redis, timeout=self._timeout, prefix=self._prefix)


def _text(name: str, value: str | None) -> str:
    if value is not None and (not isinstance(value, str) or not 1 <= len(value) <= 200):
        raise UsageError(f"{name} must be a str of 1 to 200 characters, or None")
    return value or ""


def _is_count(processes: int) -> bool:
    return type(processes) is int and 1 <= processes <= _MAX_PROCESSES
