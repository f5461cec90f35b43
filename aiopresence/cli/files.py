"""Read files that the user names: without waiting for a device, and in bounded memory.

Files that commands write are accessible to their user only, from the moment they exist.
"""

import os
import select
import stat
import sys
import tempfile
from collections.abc import Iterator
from io import UnsupportedOperation
from pathlib import Path

# Far more than any settings file has.
MAX_SETTINGS_BYTES = 1024 * 1024
# Bytes read at once from a file of ids. A guess.
CHUNK_BYTES = 64 * 1024
# Seconds to wait for a writer to a FIFO. A guess: a shell starts both sides at once.
FIFO_TIMEOUT = 3


def read_text(path: Path, longest: int = MAX_SETTINGS_BYTES) -> str:
    """Return the text of a settings file, without a byte order mark.

    Raises:
        OSError: the file cannot be read, is not a regular file, or has more than `longest` bytes.
        UnicodeDecodeError: it is not UTF-8.
    """
    # Non-blocking: opening a FIFO would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        data = file.read(longest + 1)
    if len(data) > longest:
        raise OSError(f"larger than {longest // 1024 // 1024} MiB")
    return data.decode("utf-8-sig")


def read_chunks(name: str) -> Iterator[bytes]:
    """Yield the content of a file of any kind in chunks; "-" is standard input.

    Raises:
        OSError: it cannot be read, or is a FIFO without a writer.
    """
    if name == "-":
        yield from iter(lambda: _read_stdin(CHUNK_BYTES), b"")
        return
    descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb", buffering=0) as file:
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            _wait_for_writer(descriptor)
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
        yield from iter(lambda: file.read(CHUNK_BYTES), b"")


def replace_text(path: Path, text: str) -> None:
    """Write a file as a whole, accessible to this user only, in place of what is there.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def create_directory(path: Path) -> None:
    """Create a directory and its missing parents, accessible to this user only.

    Raises:
        OSError: it cannot be created.
    """
    for each in reversed([path, *path.parents]):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)


def is_regular(name: str) -> bool:
    """Return whether this is a regular file, which can be read twice."""
    return name != "-" and Path(name).is_file()


def _read_stdin(size: int) -> bytes:
    try:
        # Unbuffered: a thread that waits in the buffered reader would hold its lock at exit.
        return os.read(sys.stdin.fileno(), size)
    except UnsupportedOperation:
        return sys.stdin.buffer.read(size)


def _wait_for_writer(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(FIFO_TIMEOUT * 1000):
        raise OSError(f"no data within {FIFO_TIMEOUT} s")


def reason(error: Exception) -> str:
    """Return why a file cannot be read, without its content, which may be secret."""
    if isinstance(error, UnicodeDecodeError):
        line = error.object.count(b"\n", 0, error.start) + 1
        return f"line {line} is not UTF-8 text"
    is_own = isinstance(error, OSError) and error.errno is None
    return str(error) if is_own else type(error).__name__
