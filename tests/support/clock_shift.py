"""Shift the wall clock of a process while it runs: steps of the clock of a Redis server."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")


class ClockShift:
    """The clock of the processes that are started with its environment.

    Args:
        folder: an existing folder for its files.

    Attributes:
        environment: the environment variables for the process.
    """

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler, with which the clock is shifted: apt-get install gcc")
        library, self._file = folder / "clock_shift.so", folder / "clock_shift"
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE)]
        subprocess.run(command, check=True, timeout=60)  # noqa: S603 - our own source
        self.set(0.0)
        self.environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "CLOCK_SHIFT": str(self._file),
        }

    def set(self, seconds: float) -> None:
        """Let the clock be ahead by some seconds; negative ones are behind."""
        # Written in place: the process has mapped the file.
        file = os.open(self._file, os.O_CREAT | os.O_WRONLY)
        os.pwrite(file, struct.pack("=q", round(seconds * 1e6)), 0)
        os.close(file)
