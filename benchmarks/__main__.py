"""All benchmarks, or some: one after the other, each in a process of its own.

The results of all of them go into results.json, and into the tables of the two README files.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from . import results
from .report import Row, rows_of

HERE = Path(__file__).parent
NEEDED = ("aiohttp", "matplotlib", "msgspec", "requests_toolbelt", "ringcentral")
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
    command = [sys.executable, "-m", f"{__package__}.{name}", str(found)]
    subprocess.run(  # noqa: S603 - our own module
        command, stdout=subprocess.DEVNULL, cwd=HERE.parent, check=False
    )
    if not found.exists():
        raise SystemExit(f"{name} came to no result: {' '.join(command)}")
    return rows_of(json.loads(found.read_text()))


def where() -> dict[str, str]:
    """Tell on what all was measured."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "Python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        **{name: version(name) for name in PACKAGES},
    }


def main(names: Sequence[str]) -> int:
    """Run benchmarks, print their tables, and give the exit code: 1 when a target was missed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise SystemExit(f"not installed: {', '.join(missing)}; run pip install -e '.[bench]'")
    if unknown := sorted({*names} - {*results.QUESTIONS}):
        raise SystemExit(
            f"no benchmark: {', '.join(unknown)}; there are {', '.join(results.QUESTIONS)}"
        )
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        for name in names or results.QUESTIONS:
            print(f"{name} …", end=" ", file=sys.stderr, flush=True)
            began = time.monotonic()
            found = run(name, Path(folder))
            print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
            print(f"{results.section(name, found)}\n", flush=True)
            rows += found
    missed = [row for row in rows if not row.is_good]
    aimed = sum(row.target is not None for row in rows)
    print(f"{aimed - len(missed)} of {aimed} targets met")
    for row in missed:
        print(f"missed: {row.question}: {row.what}")
    if not names:
        results.keep(where(), rows)
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
