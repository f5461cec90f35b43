"""Run modules in processes of their own, and measure the memory of a process.

Memory is in MB, from Linux. The peak is not getrusage's, which a process inherits from its parent.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# The limits of the servers: the largest that the library accepts, per second. Never reached.
LIMIT, WINDOW = 10_000, 1.0

_KB = 1024
_HERE = Path(__file__).parents[1]


def resident() -> float:
    """Return the memory of this process now."""
    return _status("VmRSS")


def peak() -> float:
    """Return the peak memory of this process."""
    return _status("VmHWM")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / _KB for line in lines if line.startswith(f"{name}:"))


def run(module: str, *arguments: str, given: object = None) -> Any:
    """Run a module in a process of its own; return the JSON that it prints.

    Args:
        module: its full name.
        arguments: of its command line.
        given: what it reads as JSON from standard input.
    """
    done = subprocess.run(  # noqa: S603 - our own module
        _command(module, arguments),
        input=json.dumps(given).encode(),
        stdout=subprocess.PIPE,
        cwd=_HERE,
        check=True,
    )
    return json.loads(done.stdout)


@contextmanager
def running(module: str, *arguments: str) -> Iterator[Any]:
    """Run a module in the background; yield the first line that it prints, parsed as JSON."""
    with subprocess.Popen(  # noqa: S603 - our own module
        _command(module, arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_HERE
    ) as process:
        if process.stdout is None:
            raise RuntimeError("no pipe to the process")
        yield json.loads(process.stdout.readline())


async def announce_and_wait(document: object) -> None:
    """Print a line of JSON for the parent process, and wait until standard input ends."""
    print(json.dumps(document), flush=True)
    await (await lines()).read()


async def lines() -> asyncio.StreamReader:
    """Return the standard input of this process."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


def _command(module: str, arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
