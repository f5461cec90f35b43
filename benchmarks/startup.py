"""How long do import and --help take, compared with importing aiohttp alone?

Each is measured in processes of their own that take turns, with bytecode already compiled, as
after an installation. Also counted: modules that a session imports and does not need.

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
# The package alone imports nothing; a session is there for comparison.
TARGETS: dict[str, float | None] = {
    "import aiopresence": 1.25,
    "from aiopresence import PresenceSession": None,
    "aiopresence --help": 1.0,
}
# Parts that only some programs need.
PARTS = ("aiopresence.sandbox", "aiopresence.webhooks", "aiopresence.cli")
_COUNT = f"""
import sys
from aiopresence import PresenceSession
print(sum(name == part or name.startswith(part + ".") for name in sys.modules for part in {PARTS}))
"""


def python(arguments: tuple[str, ...], compiled: str) -> str:
    """Run Python, with bytecode in the folder `compiled`; return what it prints."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(  # noqa: S603 - our own commands
        [sys.executable, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def measure_times(compiled: str) -> Times:
    """Return the seconds of each, by round."""
    contestants = {name: partial(python, command, compiled) for name, command in THINGS.items()}
    return interleaved(contestants, rounds=RUNS, seconds=0.0)


def measure() -> list[Row]:
    """Measure all."""
    with TemporaryDirectory() as compiled:
        times = measure_times(compiled)
        parts = float(python(("-c", _COUNT), compiled))
    return [
        *(
            ratio("startup", f"{name} over {AIOHTTP}", times, name, AIOHTTP, target=target)
            for name, target in TARGETS.items()
        ),
        Row(
            "startup",
            "modules of sandbox, webhooks and cli that a session imports",
            parts,
            "modules",
            target=0.0,
        ),
    ]


if __name__ == "__main__":
    sys.exit(finish(measure()))
