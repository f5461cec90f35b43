"""How long does it take to begin, against what it cannot do without?

Importing the library and asking the command for its help, each against `import aiohttp`, in
processes of their own that take turns. All is compiled before, as it is once it is installed. And
whether a session brings in parts that it does not need.

Run: python -m benchmarks.startup
"""

import os
import subprocess
import sys
from functools import partial
from tempfile import TemporaryDirectory

from .report import Row, Times, finish, interleaved, ratio

RUNS = 15
AIOHTTP = "import aiohttp"
THINGS = {
    AIOHTTP: ("-c", AIOHTTP),
    "import aiopresence": ("-c", "import aiopresence"),
    "from aiopresence import PresenceSession": ("-c", "from aiopresence import PresenceSession"),
    "aiopresence --help": ("-c", "from aiopresence.cli import main; main()", "--help"),
}
# The name alone brings in nothing; what comes with a session is there to compare with.
TARGETS: dict[str, float | None] = {
    "import aiopresence": 1.25,
    "from aiopresence import PresenceSession": None,
    "aiopresence --help": 1.0,
}
# What only some need.
PARTS = ("aiopresence.sandbox", "aiopresence.webhooks", "aiopresence.cli", "redis")
_COUNT = f"""
import sys
from aiopresence import PresenceSession
print(sum(name == part or name.startswith(part + ".") for name in sys.modules for part in {PARTS}))
"""


def python(arguments: tuple[str, ...], compiled: str) -> str:
    """Run Python once, and give what it prints; `compiled` is where to keep bytecode."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(  # noqa: S603 - our own commands
        [sys.executable, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def taken(compiled: str) -> Times:
    """Give the seconds that each takes, by round."""
    contestants = {name: partial(python, command, compiled) for name, command in THINGS.items()}
    return interleaved(contestants, rounds=RUNS, seconds=0.0)


def measure() -> list[Row]:
    """Measure all."""
    with TemporaryDirectory() as compiled:
        times = taken(compiled)
        parts = float(python(("-c", _COUNT), compiled))
    return [
        *(
            ratio(
                "startup", f"{name} over {AIOHTTP}", times, name, AIOHTTP, target=target, told=True
            )
            for name, target in TARGETS.items()
        ),
        Row(
            "startup",
            "modules of sandbox, webhooks, cli and redis that a session brings in",
            parts,
            "modules",
            target=0.0,
        ),
    ]


if __name__ == "__main__":
    sys.exit(finish(measure()))
