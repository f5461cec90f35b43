"""Modules in a process of their own, and how much memory a process takes.

Memory is what Linux tells, in MB. The largest size is not getrusage's, which a process inherits
from whatever started it.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# The limits of the servers: as many as the library believes in, in a second. Nobody reaches them.
LIMIT, WINDOW = 10_000, 1.0

_KB = 1024
_HERE = Path(__file__).parents[1]


def resident() -> float:
    """Give what this process takes now."""
    return _status("VmRSS")


def peak() -> float:
    """Give the most that this process has taken."""
    return _status("VmHWM")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / _KB for line in lines if line.startswith(f"{name}:"))


def run(module: str, *arguments: str, given: object = None) -> Any:
    """Run a module in a process of its own; give it JSON, and take the JSON that it prints."""
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
    """Have a module run meanwhile, and give the JSON that it has told."""
    with subprocess.Popen(  # noqa: S603 - our own module
        _command(module, arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_HERE
    ) as process:
        if process.stdout is None:
            raise RuntimeError("it has an output")
        yield json.loads(process.stdout.readline())


async def tell_and_stay(told: object) -> None:
    """Tell whoever started this process something, and wait until the input ends."""
    print(json.dumps(told), flush=True)
    await (await lines()).read()


async def lines() -> asyncio.StreamReader:
    """Give the input of this process."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


def _command(module: str, arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
