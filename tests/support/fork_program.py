"""Start Python programs as forks of this process, which has imported this library.

Each message on the socket that is standard input describes a program: its arguments, environment
and directory, with its standard streams as file descriptors. The answer is the process id. The
program is forked twice, so that it becomes a child of the tests, who can wait for it.

The rest of its state is as if Python had just started: standard streams with nothing in their
buffers, the default handlers of signals, and a `__main__` of its own.
"""

import gc
import json
import os
import pkgutil
import runpy
import socket
import sys
import time
import warnings
from importlib import import_module
from typing import Any

import aiopresence

from .terminal import take_terminal

# What cannot be imported everywhere, or does something when it is imported.
_OMITTED = ("aiopresence.__main__", "aiopresence.docs", "aiopresence.sandbox.plugin")
# What is imported where it is used.
_MORE = (
    *("aiohttp.web", "dotenv", "encodings.idna", "filelock.asyncio", "platformdirs.unix"),
    *("rich.live", "rich.markup", "rich.progress", "rich.traceback"),
    *("typer._adapters", "typer._click.decorators", "zoneinfo"),
)


def preload() -> None:
    """Import what programs use."""
    for module in pkgutil.walk_packages(aiopresence.__path__, "aiopresence."):
        if not module.name.startswith(_OMITTED):
            import_module(module.name)
    for name in _MORE:
        import_module(name)
    gc.collect()
    gc.freeze()  # Otherwise each collection of a fork copies the memory that it shares.


def serve(connection: socket.socket) -> dict[str, Any]:
    """Fork a process for each message; return, in that process only, what it shall do."""
    while True:
        size, files, _, _ = socket.recv_fds(connection, 4, 3)
        if not size:
            sys.exit()
        with connection.makefile("rb", buffering=0) as stream:
            message = _exactly(stream, int.from_bytes(size, "big"))
        if (pid := _fork_orphan()) == 0:
            connection.close()
            return {**json.loads(message), "files": files}
        for file in files:
            os.close(file)
        connection.sendall(pid.to_bytes(4, "big"))


def _exactly(stream: Any, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        parts += stream.read(size - len(parts))
    return parts


def _fork_orphan() -> int:
    """Fork a process whose parent has ended; return 0 in that process, its id here."""
    reader, writer = os.pipe()
    if (middle := os.fork()) == 0:
        os.close(reader)
        if pid := os.fork():
            os.write(writer, pid.to_bytes(4, "big"))
            os._exit(0)
        os.close(writer)
        return 0
    os.close(writer)
    os.waitpid(middle, 0)  # From now on its parent are the tests.
    pid = int.from_bytes(os.read(reader, 4), "big")
    os.close(reader)
    return pid


def become(job: dict[str, Any]) -> None:
    """Set streams, session, directory and environment as for a process that was just started."""
    for number, file in enumerate(job["files"]):
        os.dup2(file, number)
        os.close(file)
    if job["session"]:
        os.setsid()
    if job["controls"]:
        take_terminal()
    os.chdir(job["directory"])
    os.environ.clear()
    os.environ.update(job["environment"])
    time.tzset()
    coding = os.environ.get("PYTHONIOENCODING")
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding=coding, line_buffering=stream.isatty())  # type: ignore[union-attr]
    sys.stderr.reconfigure(encoding=coding, errors="backslashreplace")  # type: ignore[union-attr]


def run(arguments: list[str]) -> None:
    """Run what follows `python` in a command: -c, -m or a file, after -W error or without."""
    if arguments[:2] == ["-W", "error"]:
        del arguments[:2]
        warnings.simplefilter("error")
    kind, *sys.argv = arguments
    if kind == "-m":
        sys.path[0] = os.getcwd()
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.path[0], code, sys.argv[0] = "", sys.argv[0], "-c"
        exec(code, {"__name__": "__main__"})  # noqa: S102 - a command of the tests
    else:
        sys.path[0], sys.argv = os.path.dirname(kind), arguments
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    preload()
    _job = serve(socket.socket(fileno=os.dup(0)))
    become(_job)
    run(_job["arguments"])
