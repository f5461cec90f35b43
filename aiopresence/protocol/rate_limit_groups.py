"""Track all usage-plan groups of a login: which call counts in which, and the state of each.

The expected group of a call is documented. Where a response states another one, the call counts in
that from then on.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from math import inf
from types import NoneType
from typing import Any, Generic, TypeVar

from ..errors import UsageError, short_repr
from ..models.validation import seconds
from .rate_limit_headers import Headers, group_name, group_of, has_limits, retry_after
from .rate_limits import DEFAULTS, MAX_WINDOW, UNKNOWN_GROUP_LIMITS, GroupLimits, GroupWindow, Slot

G = TypeVar("G")

# Names that a server makes up must not fill the memory.
MAX_GROUPS, MAX_CALLS = 64, 256


class LimitsByGroup(dict[str, GroupLimits]):
    """The limits of groups by name; the case of a name does not matter."""

    def __missing__(self, name: str) -> GroupLimits:
        """Return the group whose name differs in case only, or raise KeyError."""
        known = group_name(name)
        if known == name or known not in self:
            raise KeyError(name)
        return self[known]

    def __contains__(self, name: object) -> bool:
        """Return whether a group is known."""
        return isinstance(name, str) and super().__contains__(group_name(name))

    def get(self, name: str, default: Any = None) -> Any:
        """Return the limits of a group, or the default."""
        return super().get(group_name(name), default)


class GroupsByCall(Generic[G]):
    """The groups of one login, and which call counts in which, in bounded memory.

    Args:
        new: makes a group; called with its name, which is empty for calls whose group is unknown.

    Attributes:
        by_name: the groups in use.
    """

    def __init__(self, new: Callable[[str], G]) -> None:
        self.by_name: dict[str, G] = {}
        self._new = new
        self._learned: dict[str, str] = {}

    def of(self, call: str, expected: str) -> G:
        """Return the group of a call: the one its last response stated, or the expected one."""
        return self._named(self._learned.get(call, expected))

    def learn(self, call: str, group: G, headers: Headers) -> G:
        """Return the group in which a response states that its call counts.

        Args:
            call: the name of the call.
            group: the group in which it was expected to count; returned if nothing is stated.
            headers: those of the response.
        """
        name = group_of(headers)
        actual = group if name is None else self._named(name)
        if name is not None and actual is not group:
            self._learned[call] = name
            if len(self._learned) > MAX_CALLS:
                del self._learned[next(iter(self._learned))]
        return actual

    def _named(self, name: str) -> G:
        if name not in self.by_name and len(self.by_name) >= MAX_GROUPS:
            name = ""
        if name not in self.by_name:
            self.by_name[name] = self._new(name)
        return self.by_name[name]


class RateLimits:
    """All groups of one login, and which call counts in which.

    Attributes:
        reply_time: the seconds that a decision may take.
    """

    reply_time = 0.0

    def __init__(self) -> None:
        self._presets = dict(DEFAULTS)
        self._groups = GroupsByCall(self._new_group)
        self._all_blocked_until = -inf

    def add_presets(self, presets: Mapping[str, GroupLimits]) -> None:
        """Use other limits for groups whose limits no response has stated yet."""
        self._presets |= presets
        for name in presets.keys() & self._groups.by_name.keys():
            self._groups.by_name[name].use_preset(presets[name])

    def group(self, call: str, expected: str) -> GroupWindow:
        """Return the group of a call: the one its last response stated, or the expected one."""
        return self._groups.of(call, expected)

    def delay(self, group: GroupWindow, now: float, keep: int = 0) -> float:
        """Return the seconds until a request of a group may be sent; see `GroupWindow.delay`.

        A request whose group is unknown may count in any of them, so it waits for all.
        """
        if group is not self._groups.by_name.get(""):
            return group.delay(now, keep)
        return max(each.delay(now) for each in self._groups.by_name.values())

    def complete(
        self,
        now: float,
        call: str,
        group: GroupWindow,
        slot: Slot,
        headers: Headers,
        *,
        refused: bool = False,
    ) -> None:
        """Count a request as completed, or rejected with a 429, and learn from its response.

        Args:
            now: the monotonic time in seconds.
            call: the name of the call.
            group: the group whose slot the request took.
            slot: that slot.
            headers: those of the response; they may state another group.
            refused: whether it was rejected by the rate limit.
        """
        actual = self._groups.learn(call, group, headers)
        if actual is not group:
            group.release(slot)
            # It did not wait for that group, so it is not the probe that ends a penalty.
            slot = actual.take(now)._replace(penalties=-1)
        if not refused:
            actual.complete(now, slot, headers)
            return
        actual.reject(now, slot, headers)
        if not has_limits(headers):
            self._penalise_all(now, headers, but=actual)

    def apply_429(self, now: float, group: GroupWindow, headers: Headers) -> None:
        """Block a group after a 429 in a part of a response; all groups if that states none."""
        group.start_penalty(now, retry_after(headers))
        if not has_limits(headers):
            self._penalise_all(now, headers, but=group)

    def _penalise_all(self, now: float, headers: Headers, *, but: GroupWindow) -> None:
        """Block all groups: a 429 without limits comes from a limit above them, as of the account.

        Args:
            now: the monotonic time in seconds.
            headers: those of the response.
            but: the group that is blocked already.
        """
        for each in self._groups.by_name.values():
            if each is not but:
                each.start_penalty(now, retry_after(headers))
            self._all_blocked_until = max(self._all_blocked_until, each.blocked_until)

    def snapshot(self, now: float) -> dict[str, GroupLimits]:
        """Return the state of each group that is in use, by name."""
        return {name: group.snapshot(now) for name, group in self._groups.by_name.items() if name}

    def _new_group(self, name: str) -> GroupWindow:
        preset = self._presets.get(name, UNKNOWN_GROUP_LIMITS)
        return GroupWindow(preset, self._all_blocked_until, name or None)


def parse_presets(limits: Mapping[str, GroupLimits | int] | None) -> dict[str, GroupLimits]:
    """Check the `limits` of a session and return them by the names of the groups.

    Raises:
        UsageError: they are not a mapping of names to positive ints or GroupLimits, or a name is
            misspelt.
    """
    wrong = UsageError("limits must map group names to requests in 60 s, or to GroupLimits")
    if not isinstance(limits, (Mapping, NoneType)):
        raise wrong
    presets: dict[str, GroupLimits] = {}
    for name, value in (limits or {}).items():
        preset = GroupLimits(value) if type(value) is int else value
        if not isinstance(name, str) or not isinstance(preset, GroupLimits):
            raise wrong
        window = seconds("window", preset.window)
        if type(preset.limit) is not int or preset.limit < 1 or window > MAX_WINDOW:
            raise wrong
        presets[_checked(group_name(name))] = preset
    return presets


def _checked(name: str) -> str:
    """Return the name of a group; UsageError if it looks like a misspelt one."""
    close = [] if name in DEFAULTS else get_close_matches(name, DEFAULTS, n=1)
    if close:
        raise UsageError(f"limits has a group {short_repr(name)}; did you mean {close[0]!r}?")
    return name
