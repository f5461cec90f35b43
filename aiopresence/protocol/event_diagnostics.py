"""What the log should say about a connection, each message once."""

from ..errors import one_line

# Different messages of one connection: the gateway chooses their text. A guess.
MAX_DIAGNOSTICS = 100


class Diagnostics:
    """Messages for the log."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._new: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._new)

    def restart(self) -> None:
        """Begin with another connection, which may repeat the messages of the last one."""
        self._known.clear()

    def add(self, text: str) -> None:
        """Add a message, unless this connection has had it, or too many."""
        text = one_line(text)
        if text not in self._known and len(self._known) < MAX_DIAGNOSTICS:
            self._known.add(text)
            self._new.append(text)

    def take(self) -> list[str]:
        """Return the messages that were added since the last call."""
        taken, self._new = self._new, []
        return taken
