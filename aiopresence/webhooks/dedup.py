"""Deduplication of notifications: RingCentral sends one again when it saw no answer in time."""

from hashlib import blake2b

# For how long RingCentral retries a notification is not documented. Both are guesses: more than
# the callback queue holds, in about 3 MB.
MAX_SEEN, SEEN_SECONDS = 20_000, 3600.0


class SeenEvents:
    """The uuids of accepted notifications, bounded by number and age.

    Args:
        size: how many uuids are kept.
        seconds: how long each is kept.
    """

    def __init__(self, size: int = MAX_SEEN, seconds: float = SEEN_SECONDS) -> None:
        self._size = size
        self._seconds = seconds
        self._accepted_at: dict[bytes, float] = {}  # by digest, oldest first

    def __len__(self) -> int:
        return len(self._accepted_at)

    def contains(self, uuid: str, now: float) -> bool:
        """Return whether a notification was accepted before, and is still remembered."""
        self._evict(now)
        return _digest(uuid) in self._accepted_at

    def add(self, uuid: str, now: float) -> None:
        """Remember an accepted notification."""
        self._accepted_at[_digest(uuid)] = now
        self._evict(now)

    def _evict(self, now: float) -> None:
        while self._accepted_at:
            digest, accepted_at = next(iter(self._accepted_at.items()))
            if len(self._accepted_at) <= self._size and accepted_at + self._seconds > now:
                return
            del self._accepted_at[digest]


def _digest(uuid: str) -> bytes:
    # The sender chooses the uuid, and so its length.
    return blake2b(uuid.encode("utf-8", "replace"), digest_size=16).digest()
