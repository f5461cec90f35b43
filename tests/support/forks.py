"""Python programs that tests start are forks of one process, which is several times faster.

Starting Python and importing this library takes more time than most programs of tests run. So
`subprocess` and `asyncio` get a fork of `fork_program` where that makes no difference. Commands
with other options of Python, or with an environment that changes how Python starts, are started as
usual.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .terminal import COMMAND, take_terminal

ROOT = Path(__file__).parents[2]
# The names of variables that change how Python starts, and what aiohttp does when it is imported,
# begin with these. A fork follows PYTHONIOENCODING.
_START = ("PYTHON", "LANG", "LC_", "SSL_CERT")
_PR_SET_CHILD_SUBREAPER = 36


class ForkServer:
    """A process that has imported the library, and forks programs.

    It is started when it is used first, and becomes ready while the first programs wait.
    """

    def __init__(self) -> None:
        # Processes whose parent has ended become children of this one, which can wait for them.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._lock = threading.Lock()  # Tests start programs in threads, too.
        self._start = _start_variables(os.environ)
        self._connection: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def can_start(self, command: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Return whether a fork does the same as a command."""
        python, *rest = command
        if rest[:2] == ["-W", "error"]:
            del rest[:2]
        is_ours = rest[:2] in ([*COMMAND[1:]], ["-m", "aiopresence"]) or (
            rest and rest[0].startswith(f"{ROOT}/tests/")
        )
        is_plain = python == sys.executable and _start_variables(environment) == self._start
        return bool(is_ours and is_plain)

    def start(self, files: Sequence[int], **job: object) -> int:
        """Start a program with these standard streams; return its process id."""
        message = json.dumps(job).encode()
        with self._lock:
            connection = self._connection = self._connection or self._connect()
            socket.send_fds(connection, [len(message).to_bytes(4, "big")], files)
            connection.sendall(message)
            if answer := connection.recv(4, socket.MSG_WAITALL):
                return int.from_bytes(answer, "big")
        assert self._process is not None
        raise RuntimeError(self._process.communicate()[1].decode())

    def _connect(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_program"],
                stdin=theirs.fileno(),
                # Streams keep for good whether they can seek, so none of these can.
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=ROOT,
                start_new_session=True,
            )
        return ours

    def close(self) -> None:
        """End it; programs that it has started run on."""
        if self._connection is not None and self._process is not None:
            self._connection.close()
            self._process.communicate()


def _start_variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_START) and name != "PYTHONIOENCODING"
    }


@contextmanager
def forks() -> Iterator[None]:
    """Let `subprocess` and `asyncio` start programs as forks, where this is possible."""
    if sys.platform != "linux":
        yield
        return
    server = ForkServer()
    usual: Any = subprocess.Popen._execute_child  # type: ignore[attr-defined]

    def execute(self: Any, args: Any, executable: Any, preexec: Any, *more: Any) -> None:
        _, pass_fds, cwd, env, _, _, shell, *pipes = more
        words = [os.fspath(each) for each in ([args] if isinstance(args, str | Path) else args)]
        environment = dict(os.environ if env is None else env)
        is_special = executable or pass_fds or shell or preexec not in (None, take_terminal)
        if is_special or not server.can_start(words, environment):
            usual(self, args, executable, preexec, *more)
            return
        self.pid = server.start(
            [end if end >= 0 else number for number, end in enumerate(pipes[0:6:3] + pipes[5:6])],
            arguments=words[1:],
            directory=os.fspath(cwd or os.getcwd()),
            environment=environment,
            session=more[-2],
            controls=preexec is take_terminal,
        )
        self._child_created = True
        self._close_pipe_fds(*pipes[:6])

    subprocess.Popen._execute_child = execute  # type: ignore[attr-defined]
    try:
        yield
    finally:
        subprocess.Popen._execute_child = usual  # type: ignore[attr-defined]
        server.close()
