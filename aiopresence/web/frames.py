"""The log of what was sent to the readers of the stream, from which each takes at its own pace.

Theory: a frame is one server-sent event, encoded once for all readers. A reader has only a position
in the log. The log keeps the last frames; a reader that falls behind its beginning has lost frames,
and so has one that returns after a disconnection with an id from before it. Ids have a random part,
so that the id of another process, or from before a restart, is not taken for one of this log.
"""

import secrets
from collections import deque

# What the log keeps for readers that are behind or return: some seconds of a very busy account.
MAX_BYTES, MAX_FRAMES = 4_000_000, 10_000


class FrameLog:
    """The last frames, numbered.

    Attributes:
        end: the number of the next frame.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, max_frames: int = MAX_FRAMES) -> None:
        self.end = 0
        self._name = secrets.token_hex(4)
        self._frames = deque[bytes]()
        self._size = 0
        self._max_bytes, self._max_frames = max_bytes, max_frames

    def add(self, kind: str, data: bytes, *, resumable: bool = False) -> None:
        """Add a frame.

        Args:
            kind: the type of the event.
            data: JSON on one line.
            resumable: whether the frame has an id, after which a reader can resume.
        """
        self.end += 1
        frame = encode(kind, data, self.id if resumable else None)
        self._frames.append(frame)
        self._size += len(frame)
        while self._size > self._max_bytes or len(self._frames) > self._max_frames:
            self._size -= len(self._frames.popleft())

    @property
    def id(self) -> str:
        """The id of the end of the log: a reader that has it resumes with the next frame."""
        return f"{self._name}-{self.end}"

    def position(self, last_id: str | None) -> int | None:
        """Return where a reader resumes; None if it has to read everything again."""
        name, _, number = (last_id or "").partition("-")
        if name != self._name or not (number.isascii() and number.isdigit() and len(number) < 20):
            return None
        position = int(number)
        return position if self.has(position) else None

    def has(self, position: int) -> bool:
        """Return whether all frames from a position on are in the log."""
        return self.end - len(self._frames) <= position <= self.end

    def __getitem__(self, position: int) -> bytes:
        return self._frames[position - self.end]


def encode(kind: str, data: bytes, id_: str | None = None) -> bytes:
    """Return a server-sent event."""
    head = f"event: {kind}\n" if id_ is None else f"id: {id_}\nevent: {kind}\n"
    return b"%bdata: %b\n\n" % (head.encode(), data)
