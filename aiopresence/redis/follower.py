"""Follow a board whenever no other process does: get the lease, and follow for one term."""

import asyncio
import logging
import uuid

from ..errors import RedisFailed
from ..live.source import BoardSpec
from ..protocol.board_replica import BoardReplica
from .board_keys import BoardKeys
from .replica import Reader
from .term import Lease, Term

_log = logging.getLogger("aiopresence")

# The part of the lease for which Redis keeps it: in the rest the next follower claims it, connects
# to RingCentral and subscribes.
HELD = 0.85
# The part of the lease for which a process that is not eager leaves it to those that are.
EAGER_FIRST = 0.05


class Follower:
    """Follows a board in Redis whenever no other process does.

    Args:
        spec: the board.
        keys: the board in Redis.
        reader: reads what is published.
        replica: what the reader has read.
        lease: the seconds after which another process follows at the latest.
        is_eager: whether to follow before other processes do.
    """

    def __init__(
        self,
        spec: BoardSpec,
        keys: BoardKeys,
        reader: Reader,
        replica: BoardReplica,
        lease: float,
        *,
        is_eager: bool,
    ) -> None:
        self._spec = spec
        self._keys = keys
        self._reader = reader
        self._replica = replica
        self._held_for = HELD * lease
        self._claim_delay = 0.0 if is_eager else EAGER_FIRST * lease
        self._holder = uuid.uuid4().hex

    async def run(self) -> None:
        """Follow, or wait for a turn to, forever.

        Raises:
            PresenceError: one that trying again does not help against.
        """
        clock = self._spec.clock
        while True:
            await self._reader.no_follower.wait()
            if self._reader.had_follower:
                await clock.wait(asyncio.Event(), self._claim_delay)
            self._reader.no_follower.clear()
            began_at = clock.now()
            try:
                claim = await self._keys.claim(self._holder, self._held_for, self._replica.position)
            except RedisFailed:
                continue  # The reader notices when it works again.
            if claim.fence is not None:
                lease = Lease(self._holder, self._held_for, claim, began_at)
                await self._follow(lease)
                # If Redis had lost something, this process still has the lease, and begins anew.
                self._reader.no_follower.set()

    async def _follow(self, lease: Lease) -> None:
        """Follow for one term, and log its beginning and its end."""
        _log.info("this process follows the board")
        try:
            await Term(self._spec, self._keys, self._reader, self._replica, lease).run()
        finally:
            _log.info("this process no longer follows the board")
