"""Files that the user names or keeps: read without waiting for a device, and in bounded memory."""

import os
import select
import stat
import sys
from collections.abc import Iterator
from io import UnsupportedOperation
from pathlib import Path

# Far more than any settings file has.
MAX_BYTES = 1024 * 1024
# Bytes that are read at once of a file of ids. A guess.
CHUNK = 64 * 1024
# Seconds in which somebody has to begin to write to a FIFO. A guess: a shell starts both at once.
WRITER_WAIT = 3


def read_text(path: Path) -> str:
    """Return the text of a settings file, without a byte order mark.

    Raises:
        OSError: the file cannot be read, is not a regular file, or is larger than 1 MiB.
        UnicodeDecodeError: it is not UTF-8.
    """
    # Without waiting: opening a FIFO would wait for somebody to write to it.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError("larger than 1 MiB")
    return data.decode("utf-8-sig")


def read_chunks(name: str) -> Iterator[bytes]:
    """Read a file of any kind piece by piece; - is standard input.

    Raises:
        OSError: it cannot be read, or is a FIFO that nobody writes to.
    """
    if name == "-":
        yield from iter(lambda: _read_input(CHUNK), b"")
        return
    descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb", buffering=0) as file:
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            _wait_for_writer(descriptor)
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
        yield from iter(lambda: file.read(CHUNK), b"")


def is_regular(name: str) -> bool:
    """Return whether a file can be read twice."""
    return name != "-" and Path(name).is_file()


def _read_input(size: int) -> bytes:
    try:
        # Not by its buffer: a thread that waits for input there would hold its lock at the end.
        return os.read(sys.stdin.fileno(), size)
    except UnsupportedOperation:
        return sys.stdin.buffer.read(size)


def _wait_for_writer(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(WRITER_WAIT * 1000):
        raise OSError(f"nothing is written to it within {WRITER_WAIT} s")
