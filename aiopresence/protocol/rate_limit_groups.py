"""All usage-plan groups of a quota: which call counts in which, and what is known of each."""

from collections.abc import Mapping
from math import inf
from typing import Any

from .rate_limit_headers import Headers, group_name, group_of, has_limits, retry_after
from .rate_limits import DEFAULTS, OTHERWISE, Group, GroupLimits, Taken

# What a server invents must not fill the memory.
MAX_GROUPS, MAX_CALLS = 64, 256


class GroupsView(dict[str, GroupLimits]):
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


class Limits:
    """All groups of a quota, and which call counts in which."""

    def __init__(self) -> None:
        self._presets = dict(DEFAULTS)
        self._groups: dict[str, Group] = {}
        self._learned: dict[str, str] = {}
        self._all_blocked_until = -inf

    def add_presets(self, presets: Mapping[str, GroupLimits]) -> None:
        """Use other limits for groups whose limits no response has stated yet."""
        self._presets |= presets
        for name in presets.keys() & self._groups.keys():
            self._groups[name].use_preset(presets[name])

    def group(self, call: str, expected: str) -> Group:
        """Give the group a call counts in: what its last answer said, or what is expected."""
        return self._named(self._learned.get(call, expected))

    def delay(self, group: Group, now: float, keep: int = 0) -> float:
        """Give the seconds until a request of a group may be sent, as `Group.delay`.

        One whose group is not known yet may turn out to be of any, so it waits for all.
        """
        if group is not self._groups.get(""):
            return group.delay(now, keep)
        return max(each.delay(now) for each in self._groups.values())

    def settle(
        self,
        now: float,
        call: str,
        group: Group,
        taken: Taken,
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
            group.unsent()
            # It passed no gate of that group, so it is not the probe that ends a penalty.
            taken = actual.take(now)._replace(penalties=-1)
        if not refused:
            actual.settle(now, taken, headers)
            return
        actual.refuse(now, taken, headers)
        if not has_limits(headers):
            self._penalise_all(now, headers, but=actual)

    def penalise(self, now: float, group: Group, headers: Headers) -> None:
        """Shut a group after a 429 in a part of an answer, or all when that names no group."""
        group.penalise(now, retry_after(headers))
        if not has_limits(headers):
            self._penalise_all(now, headers, but=group)

    def _penalise_all(self, now: float, headers: Headers, *, but: Group) -> None:
        """Shut all groups: a 429 without limits comes from another one, of the account or of all.

        Args:
            now: this moment.
            headers: those of the answer.
            but: the one that is shut already.
        """
        for each in self._groups.values():
            if each is not but:
                each.penalise(now, retry_after(headers))
            self._all_blocked_until = max(self._all_blocked_until, each.blocked_until)

    def view(self, now: float) -> dict[str, GroupLimits]:
        """Return what is known of each group that is in use, by name."""
        return {name: group.view(now) for name, group in self._groups.items() if name}

    def _named(self, name: str) -> Group:
        if name not in self._groups and len(self._groups) >= MAX_GROUPS:
            name = ""
        if name not in self._groups:
            preset = self._presets.get(name, OTHERWISE)
            self._groups[name] = Group(preset, self._all_blocked_until, name or None)
        return self._groups[name]
