"""The quiet time at the end of a round, in which everything must become current.

There are no faults in it, and no changes: a change would correct what an earlier one has lost.
"""

import time
from collections.abc import Iterator
from typing import Any

from aiopresence.sandbox import Sandbox

from . import checks, schedule
from .activity import Activity
from .scene import Scene


class Quiet:
    """What must become current after the last fault of a round.

    Args:
        made: the scene.
    """

    def __init__(self, made: Scene) -> None:
        self._made = made
        # What changes again would hide that something was missed.
        for account in made.accounts.values():
            account.is_quiet = True
            if isinstance(account.server, Sandbox):
                account.server.gateway.clear()
        self._since = time.monotonic()
        self._goals = {name: dict(each.now) for name, each in made.accounts.items()}
        self._behind = {name: dict(self._goals[account]) for name, account in self._followers()}
        self._answered = {
            name: tally.counts["answered"] + tally.counts["failed"]
            for name, tally in made.tallies.tallies.items()
        }

    def _followers(self) -> Iterator[tuple[str, str]]:
        for name, activity in self._made.activities.items():
            if activity.view is not None:
                yield name, activity.account.name
        if self._made.workers is not None:
            yield from ((each.name, "shared") for each in self._made.workers.processes)

    def _shown(self, name: str) -> Any:
        if self._made.workers is not None and name in (views := self._made.workers.views()):
            return views[name]()
        view = self._made.activities[name].view
        return view() if view is not None else {}

    def is_settled(self) -> bool:
        """Return whether each follower has shown each extension in its present state, or newer."""
        for name, goal in self._behind.items():
            late = checks.behind(self._shown(name), goal)
            self._behind[name] = {id_: goal[id_] for id_ in late}
        return not (any(self._behind.values()) or self._overdue() or self._stuck())

    def _overdue(self) -> list[Activity]:
        return [
            each
            for each in self._made.activities.values()
            if each.overdue is not None and each.overdue(self._since)
        ]

    def _stuck(self) -> list[str]:
        """Return who has had no answer since the last fault."""
        followers = dict(self._followers())
        return [
            name
            for name, before in self._answered.items()
            if name not in self._exempt(followers)
            and self._made.tallies.of(name).counts["answered"]
            + self._made.tallies.of(name).counts["failed"]
            <= before
        ]

    def _exempt(self, followers: dict[str, str]) -> set[str]:
        """Return who need not have answers: followers are judged by what they show or get."""
        made = self._made
        others = {
            name
            for name, each in made.activities.items()
            if each.account.name == schedule.PATIENT or each.overdue is not None
        }
        processes = {each.name for each in made.workers.processes} if made.workers else set()
        return (set(followers) - processes) | others | {"process"}

    def end(self) -> None:
        """Let extensions change again."""
        for account in self._made.accounts.values():
            account.is_quiet = False

    def count(self) -> None:
        """Count everything that is not current."""
        for name, account in self._followers():
            goal = self._goals[account]
            behind = self._behind[name]
            shown = {id_: goal[id_] for id_ in goal if id_ not in behind}
            checks.check_view(self._made.tallies.of(name), {**self._shown(name), **shown}, goal)
        for activity in self._overdue():
            if activity.lose is not None:
                activity.lose(self._since)
        for name in self._stuck():
            self._made.tallies.of(name).defect("stale", "has had no answer since the last fault")
