"""The tokens that open a WebSocket, and how long each of them is accepted."""

import random

from .. import fake_people
from ..responses import Body, RefusedError


class Tickets:
    """The WebSocket tokens that have been issued and have not expired.

    Args:
        rng: where they come from.
        lifetime: how long one is accepted, in seconds.
        single_use: whether a token is accepted only once.
    """

    def __init__(self, rng: random.Random, lifetime: float, *, single_use: bool) -> None:
        self._rng = rng
        self._lifetime = lifetime
        self._single_use = single_use
        self._ends: dict[str, float] = {}

    def give(self, base: str, now: float) -> Body:
        """Return the response that issues a new token.

        Args:
            base: scheme, host and port of the server.
            now: monotonic seconds.
        """
        self._ends = {token: end for token, end in self._ends.items() if now < end}
        token = fake_people.token(self._rng, "SandboxWsToken", 80)
        self._ends[token] = now + self._lifetime
        # RingCentral sends whole seconds; a test may have shorter lifetimes.
        whole = int(self._lifetime)
        life = whole if whole == self._lifetime else self._lifetime
        uri = f"ws{base.removeprefix('http')}/ws"
        return {"uri": uri, "ws_access_token": token, "expires_in": life}

    def use(self, token: str, now: float) -> None:
        """Accept a token.

        Raises:
            RefusedError: 401; it is unknown or expired, or was used before and is for single use.
        """
        if now >= self._ends.get(token, now):
            # What RingCentral says here is not documented: the code is a guess.
            raise RefusedError(401, "OAU-213", "WebSocket token is not found.")
        if self._single_use:
            del self._ends[token]
