"""All usage-plan groups of a quota: which call counts in which, and what is known of each."""

from collections.abc import Mapping
from math import inf
from types import NoneType
from typing import Any

from ..errors import UsageError
from ..models.validation import seconds
from .rate_limit_headers import Headers, group_name, group_of, has_limits, retry_after
from .rate_limits import DEFAULTS, MAX_WINDOW, UNKNOWN_GROUP_LIMITS, GroupLimits, GroupWindow, Slot

# What a server invents must not fill the memory.
MAX_GROUPS, MAX_CALLS = 64, 256


class LimitsByGroup(dict[str, GroupLimits]):
    """What is known of groups, by names whose case does not matter."""

    def __missing__(self, name: str) -> GroupLimits:
        """Return the group that is spelt otherwise, or raise KeyError."""
        known = group_name(name)
        if known == name or known not in self:
            raise KeyError(name)
        return self[known]

    def __contains__(self, name: object) -> bool:
        """Return whether a group is known."""
        return isinstance(name, str) and super().__contains__(group_name(name))

    def get(self, name: str, default: Any = None) -> Any:
        """Return what is known of a group, or the default."""
        return super().get(group_name(name), default)


class RateLimits:
    """All groups of a quota, and which call counts in which."""

    def __init__(self) -> None:
        self._presets = dict(DEFAULTS)
        self._groups: dict[str, GroupWindow] = {}
        self._learned: dict[str, str] = {}
        self._all_blocked_until = -inf

    def add_presets(self, presets: Mapping[str, GroupLimits]) -> None:
        """Use other limits for groups whose limits no response has stated yet."""
        self._presets |= presets
        for name in presets.keys() & self._groups.keys():
            self._groups[name].use_preset(presets[name])

    def group(self, call: str, expected: str) -> GroupWindow:
        """Give the group a call counts in: what its last answer said, or what is expected."""
        return self._named(self._learned.get(call, expected))

    def delay(self, group: GroupWindow, now: float, keep: int = 0) -> float:
        """Give the seconds until a request of a group may be sent, as `GroupWindow.delay`.

        One whose group is not known yet may turn out to be of any, so it waits for all.
        """
        if group is not self._groups.get(""):
            return group.delay(now, keep)
        return max(each.delay(now) for each in self._groups.values())

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
        """Count a request of a group as answered, or refused with a 429, and learn from it.

        The group it was counted in may be another than the expected one.
        """
        name = group_of(headers)
        actual = group if name is None else self._named(name)
        if actual is not group:
            self._learned[call] = name or ""
            if len(self._learned) > MAX_CALLS:
                del self._learned[next(iter(self._learned))]
            group.release()
            # It passed no gate of that group, so it is not the probe that ends a penalty.
            slot = actual.take(now)._replace(penalties=-1)
        if not refused:
            actual.complete(now, slot, headers)
            return
        actual.reject(now, slot, headers)
        if not has_limits(headers):
            self._penalise_all(now, headers, but=actual)

    def apply_429(self, now: float, group: GroupWindow, headers: Headers) -> None:
        """Shut a group after a 429 in a part of an answer, or all when that names no group."""
        group.start_penalty(now, retry_after(headers))
        if not has_limits(headers):
            self._penalise_all(now, headers, but=group)

    def _penalise_all(self, now: float, headers: Headers, *, but: GroupWindow) -> None:
        """Shut all groups: a 429 without limits comes from another one, of the account or of all.

        Args:
            now: this moment.
            headers: those of the answer.
            but: the one that is shut already.
        """
        for each in self._groups.values():
            if each is not but:
                each.start_penalty(now, retry_after(headers))
            self._all_blocked_until = max(self._all_blocked_until, each.blocked_until)

    def snapshot(self, now: float) -> dict[str, GroupLimits]:
        """Return what is known of each group that is in use, by name."""
        return {name: group.snapshot(now) for name, group in self._groups.items() if name}

    def _named(self, name: str) -> GroupWindow:
        if name not in self._groups and len(self._groups) >= MAX_GROUPS:
            name = ""
        if name not in self._groups:
            preset = self._presets.get(name, UNKNOWN_GROUP_LIMITS)
            self._groups[name] = GroupWindow(preset, self._all_blocked_until, name or None)
        return self._groups[name]


def parse_presets(limits: Mapping[str, GroupLimits | int] | None) -> dict[str, GroupLimits]:
    """Check the `limits` of a session and return them by the names of the groups.

    Raises:
        UsageError: they are not a mapping of names to positive ints or GroupLimits.
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
        presets[group_name(name)] = preset
    return presets
