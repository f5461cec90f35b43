"""How much memory a process takes, as Linux tells it: in MB, of a process that does nothing else.

The largest size is not getrusage's, which a process inherits from whatever started it.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_KB = 1024


def resident() -> float:
    """Give what this process takes now."""
    return _status("VmRSS")


def peak() -> float:
    """Give the most that this process has taken."""
    return _status("VmHWM")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / _KB for line in lines if line.startswith(f"{name}:"))


def in_process(module: str, *arguments: str, given: object = None) -> Any:
    """Run a module in a process of its own; give it JSON, and take the JSON that it prints."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(  # noqa: S603 - our own module
        command,
        input=json.dumps(given).encode(),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        check=True,
    )
    return json.loads(done.stdout)
