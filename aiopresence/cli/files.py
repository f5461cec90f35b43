"""Files that the user names or keeps: read without waiting for a device, and in bounded memory."""

import os
import stat
from pathlib import Path

# Far more than any settings file has.
MAX_BYTES = 1024 * 1024


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
