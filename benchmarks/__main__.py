"""Run all benchmarks, or some: one after the other, each in a process of its own.

The results of a run of all are written to results.json and into the tables of README.md.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import results
from .report import Row, rows_of

REQUIRED = ("matplotlib", "msgspec", "redis", "requests_toolbelt", "ringcentral", "typer")
# The programs that a benchmark needs; it is skipped where they are missing.
PROGRAMS = {"shared": "redis-server"}
PACKAGES = (
    *("aiopresence", "aiohttp", "attrs", "cattrs", "orjson"),
    *("redis", "ringcentral", "requests-toolbelt", "msgspec"),
)


def run(name: str, folder: Path) -> list[Row]:
    """Run one benchmark.

    Raises:
        SystemExit: it has no result.
    """
    path = folder / f"{name}.json"
    command = [sys.executable, "-m", f"{__package__}.{name}", f"--json={path}"]
    path.unlink(missing_ok=True)
    # In a session of its own, so that all its processes can be killed.
    process = subprocess.Popen(  # noqa: S603 - our own module
        command, stdout=subprocess.DEVNULL, cwd=results.HERE.parent, start_new_session=True
    )
    try:
        process.wait()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if not path.exists():
        raise SystemExit(f"{name} has no result: {' '.join(command)}")
    return rows_of(json.loads(path.read_text()))


def environment() -> dict[str, Any]:
    """Return the date, the machine and the versions of a run."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "machine": f"{platform.system()}, {_processor()}, {os.cpu_count()} cores",
        "packages": {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return names[0]
    return platform.machine()


def main(names: Sequence[str]) -> int:
    """Run benchmarks, print their tables, and return the exit code: 1 if a target was missed."""
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        for number, name in enumerate(names, 1):
            print(f"[{number}/{len(names)}] {name} …", end=" ", file=sys.stderr, flush=True)
            if (program := PROGRAMS.get(name)) and shutil.which(program) is None:
                print(f"skipped: {program} is not installed", file=sys.stderr)
                continue
            started = time.monotonic()
            result = run(name, Path(folder))
            print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
            print(f"{results.section(name, result)}\n", flush=True)
            rows += result
    missed = [row for row in rows if not row.is_met]
    targets = sum(row.target is not None for row in rows)
    print(f"{targets - len(missed)} of {targets} targets met")
    for row in missed:
        _, value, _, target, _ = row.cells()
        print(f"missed: {row.benchmark}: {row.label}: {value}, target {target}")
    if [*names] == [*results.BENCHMARKS] == [*dict.fromkeys(row.benchmark for row in rows)]:
        results.save(environment(), rows)
        print(f"written to {results.RESULTS} and {results.README}")
    return 1 if missed else 0


def check() -> int:
    """Print what is wrong with results.json and README.md; return the exit code."""
    problems = results.problems()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"default: {' '.join(results.BENCHMARKS)}")
    parser.add_argument(
        "--check", action="store_true", help="check that README.md agrees with results.json"
    )
    parser.add_argument(
        "--write-tables", action="store_true", help="write results.json into README.md"
    )
    arguments = parser.parse_args()
    if unknown := sorted({*arguments.name} - {*results.BENCHMARKS}):
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    return arguments


if __name__ == "__main__":
    arguments = parse()
    if arguments.write_tables:
        results.write_tables()
    if arguments.check or arguments.write_tables:
        sys.exit(check())
    if missing := [name for name in REQUIRED if find_spec(name) is None]:
        sys.exit(f"not installed: {', '.join(missing)}; run pip install -e '.[bench]'")
    if os.getloadavg()[0] > 0.5:
        print(f"the machine is busy (load {os.getloadavg()[0]:.1f})", file=sys.stderr)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        sys.exit(main(arguments.name or results.BENCHMARKS))
    except KeyboardInterrupt:
        print("\nstopped; nothing was saved", file=sys.stderr)
        sys.exit(130)
