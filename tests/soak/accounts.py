"""Accounts on servers: the truth about their extensions, and the faults that they have met."""

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiopresence import JwtGrant

from . import states
from .checks import Call
from .tally import Tallies

# A fault may have an effect on calls that begin this many seconds later: connections that it
# broke, tokens that it took.
_AFTERMATH = 1.0


Inject = Callable[["Account", random.Random], Any]


class Account:
    """An account whose extensions change all the time.

    Args:
        name: its name.
        server: its server, already started.
        ids: the extensions that change.
        tallies: where its faults are counted.
        seed: decides which extension changes next.
        refused: returns how many 429s the server has sent that no fault has injected.
        faults: the kinds of faults that it can have, each with what injects it.

    Attributes:
        now: the number of the present state of each extension.
        is_quiet: whether nothing changes for now.
        listeners: called with id and number before each change.
        last: when each kind of fault has fired last, by the monotonic clock.
    """

    def __init__(
        self,
        name: str,
        server: Any,
        ids: Iterable[str],
        tallies: Tallies,
        seed: int,
        refused: Callable[[], int],
        faults: Mapping[str, Inject],
    ) -> None:
        self.name = name
        self.server = server
        self.tallies = tallies
        self.refused = refused
        self.faults = faults
        self.random = random.Random(f"{seed} {name}")  # noqa: S311 - the same for each seed
        self.now = dict.fromkeys(ids, 0)
        self.listeners: list[Callable[[str, int], None]] = []
        self.is_quiet = False
        self.last: dict[str, float] = {}
        self._explained = -math.inf
        for id_ in self.now:
            self.advance(id_)

    @property
    def ids(self) -> list[str]:
        return [*self.now]

    @property
    def grant(self) -> JwtGrant:
        return JwtGrant(self.server.client_id, self.server.client_secret, self.server.jwt)

    def advance(self, id_: str) -> None:
        """Change an extension to its next state."""
        self.now[id_] += 1
        for listener in self.listeners:
            listener(id_, self.now[id_])
        self.server.set_presence(id_, **states.fields(self.now[id_]))

    async def change(self, rate: float) -> None:
        """Change extensions at random, so many in a second, until the task is cancelled."""
        ids = self.ids
        while True:
            if not self.is_quiet:
                self.advance(self.random.choice(ids))
            await asyncio.sleep(self.random.uniform(0, 2 / rate))

    def fire(self, kind: str, detail: str = "", *, explains: bool = True) -> None:
        """Record that a fault has fired.

        Args:
            kind: its kind.
            detail: what it has met.
            explains: whether it explains errors of calls.
        """
        self.last[kind] = time.monotonic()
        if explains:
            self._explained = self.last[kind]
        self.tallies.faults[kind] += 1
        self.tallies.act(f"{self.name}: {kind} {detail}".rstrip())

    def extend(self) -> None:
        """Record that a fault has its effect until now."""
        self._explained = time.monotonic()

    def explains(self, since: float) -> bool:
        """Return whether a fault explains an error of a call that began at a time."""
        return self._explained >= since - _AFTERMATH

    @contextmanager
    def call(self) -> Iterator[Callable[[], Call]]:
        """Begin a call; the function that is yielded returns what is known at its end."""
        before, started = dict(self.now), time.monotonic()
        yield lambda: Call(before, dict(self.now), self.explains(started))
