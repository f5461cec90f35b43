"""How long does the command take to begin, against what it cannot do without?

`aiopresence --help` and importing the library, each against `import aiohttp`, in processes of their
own, one after the other; medians of each.

Run: python -m benchmarks.startup
"""

import platform
import statistics
import subprocess
import sys
import time

RUNS = 15
THINGS = {
    "import aiohttp": ("-c", "import aiohttp"),
    "aiopresence --help": ("-c", "from aiopresence.cli import main; main()", "--help"),
    "import aiopresence": ("-c", "import aiopresence"),
    "from aiopresence import PresenceSession": ("-c", "from aiopresence import PresenceSession"),
}


def seconds(arguments: tuple[str, ...]) -> float:
    """Run Python once, and give the seconds."""
    started = time.perf_counter()
    subprocess.run(  # noqa: S603 - our own commands
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - started


def main() -> None:
    """Measure, and print a table."""
    print(f"Python {platform.python_version()}, {RUNS} runs each")
    for arguments in THINGS.values():
        seconds(arguments)  # Whatever has to be compiled is.
    taken: dict[str, list[float]] = {name: [] for name in THINGS}
    for _ in range(RUNS):
        for name, arguments in THINGS.items():
            taken[name].append(seconds(arguments))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, median in medians.items():
        print(f"{name:<42} {median * 1000:>6.0f} ms {median / medians['import aiohttp']:>5.2f} x")


if __name__ == "__main__":
    main()
