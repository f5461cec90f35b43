"""Run the command in a process of its own, with pipes or in a terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence

import attrs
import pyte

from tests.support import canaries

COMMAND = (sys.executable, "-c", "from aiopresence.cli import main; main()")
# The variables with settings of the user who runs the tests.
_OF_USER = ("RC_", "RINGCENTRAL_", "AIOPRESENCE_", "XDG_", "COLUMNS", "LINES")
_COLORS = ("NO_COLOR", "FORCE_COLOR", "TERM")


@attrs.frozen
class Done:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    def __attrs_post_init__(self) -> None:
        canaries.see("the output", self.out + self.err)


def environment(home: object, **more: str) -> dict[str, str]:
    """Return an environment with all files of the user under a directory, and without colors."""
    directories = {
        f"XDG_{name}_HOME": f"{home}/{name.lower()}" for name in ("CONFIG", "STATE", "CACHE")
    }
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OF_USER) and name not in _COLORS
    }
    return {**plain, "HOME": str(home), **directories, **more}


def run(
    *arguments: str,
    env: Mapping[str, str],
    stdin: str = "",
    cwd: object = None,
    seconds: float = 60.0,
) -> Done:
    """Run the command with pipes."""
    done = subprocess.run(  # noqa: S603 - a fixed command
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        env=dict(env),
        cwd=str(cwd) if cwd else None,
    )
    assert "Traceback" not in done.stderr + done.stdout
    assert "asyncgen" not in done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def take_terminal() -> None:
    """Make standard input the controlling terminal, which job control requires."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """Runs the command in a terminal; use it with `with`.

    Attributes:
        screen: the emulated screen; `screen.display` are its lines.
        raw: all bytes written to the terminal.
    """

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str],
        size: tuple[int, int] = (80, 24),
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._command = command
        self.screen = pyte.Screen(*size)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        self._arguments = arguments
        self._env = {**env, "TERM": "xterm-256color"}
        self._size = size

    def __enter__(self) -> "Terminal":
        columns, lines = self._size
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(  # noqa: S603 - a fixed command
            [*self._command, *self._arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=self._env,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(slave)
        return self

    def __exit__(self, *_: object) -> None:
        canaries.see("the terminal", self.raw)
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    @property
    def text(self) -> str:
        """The text on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def until(self, condition: Callable[["Terminal"], object], seconds: float = 30) -> None:
        """Read output until a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            assert time.monotonic() < deadline, f"condition not met; screen:\n{self.text}"
            self._read(0.05)

    def end(self, seconds: float = 30) -> int:
        """Read all output, and return the exit code."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"still running; screen:\n{self.text}"
            self._read(0.05)
        while self._read(0.05):
            pass
        assert b"Traceback" not in self.raw
        return self.process.returncode

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # The other side is closed.
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)
