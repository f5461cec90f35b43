"""All benchmarks, or some: one after the other, each in a process of its own.

The results of all of them go into results.json, and into the tables of the two README files.
"""

import argparse
import json
import os
import platform
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

NEEDED = ("matplotlib", "msgspec", "requests_toolbelt", "ringcentral", "typer")
PACKAGES = (
    *("aiopresence", "aiohttp", "attrs", "cattrs", "orjson"),
    *("ringcentral", "requests-toolbelt", "msgspec"),
)


def run(name: str, folder: Path) -> list[Row]:
    """Run one benchmark.

    Raises:
        SystemExit: it came to no result.
    """
    found = folder / f"{name}.json"
    command = [sys.executable, "-m", f"{__package__}.{name}", f"--json={found}"]
    found.unlink(missing_ok=True)
    # In a session of its own, so that all it starts can be ended with it.
    process = subprocess.Popen(  # noqa: S603 - our own module
        command, stdout=subprocess.DEVNULL, cwd=results.HERE.parent, start_new_session=True
    )
    try:
        process.wait()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if not found.exists():
        raise SystemExit(f"{name} came to no result: {' '.join(command)}")
    return rows_of(json.loads(found.read_text()))


def where() -> dict[str, Any]:
    """Tell on what all was measured."""
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
    """Run benchmarks, print their tables, and give the exit code: 1 when a target was missed."""
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        for number, name in enumerate(names, 1):
            print(f"[{number}/{len(names)}] {name} …", end=" ", file=sys.stderr, flush=True)
            began = time.monotonic()
            found = run(name, Path(folder))
            print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
            print(f"{results.section(name, found)}\n", flush=True)
            rows += found
    missed = [row for row in rows if not row.is_good]
    aimed = sum(row.target is not None for row in rows)
    print(f"{aimed - len(missed)} of {aimed} targets met")
    for row in missed:
        _, result, _, target, _ = row.cells()
        print(f"missed: {row.question}: {row.what}: {result}, target {target}")
    if [*names] == [*results.QUESTIONS]:
        results.keep(where(), rows)
        print(f"kept in {results.KEPT}, {results.ALL} and {results.EXTRACT}")
    return 1 if missed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"all, or some of {', '.join(results.QUESTIONS)}")
    asked = parser.parse_args().name
    if unknown := sorted({*asked} - {*results.QUESTIONS}):
        parser.error(f"no benchmark: {', '.join(unknown)}")
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        sys.exit(f"not installed: {', '.join(missing)}; run pip install -e '.[bench]'")
    if os.getloadavg()[0] > 0.5:
        print(f"the machine is busy (load {os.getloadavg()[0]:.1f})", file=sys.stderr)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        sys.exit(main(asked or results.QUESTIONS))
    except KeyboardInterrupt:
        print("\nstopped; nothing was kept", file=sys.stderr)
        sys.exit(130)
