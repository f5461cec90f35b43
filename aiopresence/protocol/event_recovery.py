"""Decide whether the session of a lost connection can be recovered, and with which token.

Any frame may carry a newer recovery token. The gateway keeps a lost session for `recovery_timeout`
seconds from the disconnect. A session without our subscription is not worth recovering.

Source: RingCentral guide, "WebSockets", session recovery. Times are monotonic seconds, given by
the caller.
"""

from math import inf

from .event_frames import RecoveryToken


class Recovery:
    """What the lost session can be recovered with.

    Attributes:
        is_requested: whether the address of the last connection has the recovery token.
        has_subscription: whether the session has our subscription.
        requested_at: when the last connection was requested.
    """

    def __init__(self) -> None:
        self.requested_at = -inf
        self.is_requested = False
        self.has_subscription = False
        self._token: RecoveryToken | None = None
        # Whether there was an unreadable frame since the token: a recovery would replay it.
        self._is_frame_lost = False
        self._timeout = 0.0
        self._disconnected_at = inf

    def request(self, now: float) -> str | None:
        """Return the token for the address of the next connection; None to make a new session."""
        self.requested_at = now
        is_in_time = now - self._disconnected_at < self._timeout
        is_possible = self.has_subscription and is_in_time and self._token is not None
        self.is_requested = is_possible
        return self._token.token if is_possible and self._token else None

    def update_token(self, token: RecoveryToken | None) -> None:
        """Keep a token if it is newer: they may arrive in any order."""
        if token and (self._token is None or token.sequence >= self._token.sequence):
            self._token, self._is_frame_lost = token, False

    def frame_lost(self) -> None:
        """Record a frame that could not be read."""
        self._is_frame_lost = True

    def notification_received(self, token: RecoveryToken | None) -> None:
        """Keep the token of a notification; without a newer one nothing lost may be replayed."""
        self.update_token(token)
        if self._is_frame_lost:
            self.forget_token()

    def forget_token(self) -> None:
        """Do not recover the session: the next connection makes a new one."""
        self._token = None

    def session_started(self, token: RecoveryToken | None, timeout: float) -> None:
        """Record a new session, which has no subscription yet."""
        self._token, self._timeout = token, timeout
        self.has_subscription = self._is_frame_lost = False

    def session_recovered(self, token: RecoveryToken | None, timeout: float) -> None:
        """Record that the lost session was recovered; without a new token the old one is kept."""
        self._token, self._timeout = token or self._token, timeout
        self._is_frame_lost = False  # It is replayed now.

    def connection_lost(self, disconnected_at: float) -> None:
        """Record when the connection ended."""
        self._disconnected_at = disconnected_at
