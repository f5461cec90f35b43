"""How long does it take to begin, against what it cannot do without?

Importing the library and asking the command for its help, each against `import aiohttp`, in
processes of their own that take turns. And whether a session brings in parts that it does not need.

Run: python -m benchmarks.startup
"""

import subprocess
import sys

from .report import Row, Times, finish, interleaved, ratio

RUNS = 15
AIOHTTP = "import aiohttp"
THINGS = {
    AIOHTTP: ("-c", AIOHTTP),
    "import aiopresence": ("-c", "import aiopresence"),
    "from aiopresence import PresenceSession": ("-c", "from aiopresence import PresenceSession"),
    "aiopresence --help": ("-c", "from aiopresence.cli import main; main()", "--help"),
}
TARGETS = {
    "import aiopresence": 1.25,
    "from aiopresence import PresenceSession": 1.25,
    "aiopresence --help": 1.0,
}
# What only some need.
PARTS = ("aiopresence.sandbox", "aiopresence.webhooks", "aiopresence.cli", "redis")
_COUNT = f"""
import sys
from aiopresence import PresenceSession
print(sum(name == part or name.startswith(part + ".") for name in sys.modules for part in {PARTS}))
"""


def python(*arguments: str) -> str:
    """Run Python once, and give what it prints."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    return done.stdout


def taken() -> Times:
    """Give the seconds that each takes, by round."""
    contestants = {name: lambda a=arguments: python(*a) for name, arguments in THINGS.items()}
    return interleaved(contestants, rounds=RUNS, seconds=0.0)


def measure() -> list[Row]:
    """Measure all."""
    times = taken()
    return [
        *(
            ratio("startup", f"{name} over {AIOHTTP}", times, name, AIOHTTP, target=target)
            for name, target in TARGETS.items()
        ),
        Row(
            *("startup", "modules of sandbox, webhooks, cli and redis that a session brings in"),
            *(float(python("-c", _COUNT)), "modules", 0.0),
        ),
    ]


if __name__ == "__main__":
    sys.exit(finish(measure()))
