"""The tokens that open a WebSocket: each is good once, and not for long."""

import random

from . import people
from .answers import Body, RefusedError


class Tickets:
    """The WebSocket tokens that have been given out and not been used.

    Args:
        rng: where they come from.
        lifetime: how long one is good for, in seconds.
    """

    def __init__(self, rng: random.Random, lifetime: float) -> None:
        self._rng = rng
        self._lifetime = lifetime
        self._ends: dict[str, float] = {}

    def give(self, base: str, now: float) -> Body:
        """Make one, and say where it is to be used.

        Args:
            base: scheme, host and port of the server.
            now: monotonic seconds.
        """
        self._ends = {token: end for token, end in self._ends.items() if now < end}
        token = people.token(self._rng, "SandboxWsToken", 80)
        self._ends[token] = now + self._lifetime
        # RingCentral gives whole seconds.
        life = max(1, round(self._lifetime))
        uri = f"ws{base.removeprefix('http')}/ws"
        return {"uri": uri, "ws_access_token": token, "expires_in": life}

    def use(self, token: str, now: float) -> None:
        """Take one.

        Raises:
            RefusedError: 401; it is unknown, used or expired.
        """
        if now >= self._ends.pop(token, now):
            # What RingCentral says here is not documented: the code is a guess.
            raise RefusedError(401, "OAU-213", "WebSocket token is not found.")
