"""`python -m tests.soak`: see the package."""

import argparse
import asyncio
import logging
import platform
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import aiopresence

from . import report
from .report import Result
from .run import Soak


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description="Everything at once, in real time, with random faults. benchmarks/README.md"
        " explains the table, and when a run fails.",
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="decides the faults (default: 1)")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument(
        "--write", action="store_true", help="write the table into benchmarks/README.md"
    )
    arguments = parser.parse_args()
    if not arguments.seconds > 0:
        parser.error("--seconds must be more than 0")
    return arguments


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def _run(seconds: float, seed: int) -> Result:
    soak = Soak(seconds, seed, _print)
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)  # The next Ctrl-C ends it at once.
        _print("interrupted: closing everything")
        soak.interrupted.set()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    return await soak.run()


def main() -> int:
    """Run, print the table, and return the exit code."""
    options = _arguments()
    # Of outages there are many here.
    logging.getLogger("aiopresence").addHandler(logging.NullHandler())
    _print(f"seed {options.seed}, {options.seconds:g} s")
    result = asyncio.run(_run(options.seconds, options.seed))
    _print("\n" + report.text(result))
    if options.json is not None:
        report.write_json(result, options.json)
    if options.write:
        command = f"python -m tests.soak --seconds {options.seconds:g} --seed {options.seed}"
        where = (
            f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, "
            f"{platform.system()}; aiopresence {aiopresence.__version__}"
        )
        report.write_readme(result, command, where)
    return 0 if result.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
