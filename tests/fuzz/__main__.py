"""Search for inputs that break a target, guided by coverage: `python -m tests.fuzz --help`.

libFuzzer, which atheris embeds, ends its process when it is done. So each run has a process of its
own, and this one replaces the corpus of the target by the inputs that reach the most, old and new.
An input that breaks a check, or takes too much time or memory, is saved in `findings/`, and to run
it again is `python -m tests.fuzz TARGET --input FILE`.
"""

import argparse
import logging
import random
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.targets import Target

HERE = Path(__file__).parent
CORPUS, FINDINGS = HERE / "corpus", HERE / "findings"
# The seconds that one input may take, also on a busy machine, and the megabytes of the process.
# That work grows no faster than the input is for test_growth.py, which counts it.
TIMEOUT, MEMORY = 30, 2048
# The length of an input. Longer documents are made of the same decisions.
LONGEST = 2048
# The most inputs that are kept of a target: the smallest ones.
KEPT = 40
# Random inputs that a search begins with, besides the kept ones.
SEEDS = 40


def main() -> int:
    """Run the command; return its exit code."""
    parser = _parser()
    options = parser.parse_args()
    if options.libfuzzer:
        return _fuzz(options.target, options.libfuzzer)
    targets = _targets()
    if options.target not in targets and not options.all:
        parser.error(f"the targets are {', '.join(targets)}")
    if options.input is not None:
        targets[options.target](options.input.read_bytes())
        return 0
    if find_spec("atheris") is None:
        sys.stderr.write("fuzzing needs atheris: pip install -e '.[fuzz]'\n")
        return 2
    names = targets if options.all else [options.target]
    return max(_search(name, options.seconds) for name in names)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", default="", help="what to call")
    parser.add_argument("--all", action="store_true", help="every target, one after the other")
    parser.add_argument("--seconds", type=int, default=600, help="how long to search, per target")
    parser.add_argument("--input", type=Path, help="run one saved input, without atheris")
    parser.add_argument("--libfuzzer", action="append", default=[], help=argparse.SUPPRESS)
    return parser


def _targets(*, instrumented: bool = False) -> "dict[str, Target]":
    """Import the targets, and the package with them, perhaps such that coverage is recorded."""
    if not instrumented:
        from tests.fuzz.targets import TARGETS

        return TARGETS
    import atheris

    with atheris.instrument_imports(include=["aiopresence"]):
        from tests.fuzz.targets import TARGETS
    return TARGETS


def _fuzz(name: str, arguments: list[str]) -> int:
    """Run libFuzzer in this process, which it ends."""
    target = _targets(instrumented=True)[name]
    import atheris

    atheris.Setup([name, *arguments], target)
    atheris.Fuzz()
    return 0


def _search(name: str, seconds: int) -> int:
    """Search for a time, keep what was found, and print one line; return 1 for a finding."""
    FINDINGS.mkdir(exist_ok=True)
    kept = CORPUS / name
    kept.mkdir(parents=True, exist_ok=True)
    before = {*FINDINGS.glob(f"{name}-*")}
    with tempfile.TemporaryDirectory() as work:
        _add_seeds(Path(work))
        log = _libfuzzer(
            name,
            f"-timeout={TIMEOUT}",
            f"-rss_limit_mb={MEMORY}",
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST}",
            "-len_control=0",
            f"-artifact_prefix={FINDINGS}/{name}-",
            work,
            str(kept),
        )
        _keep(name, [*kept.iterdir(), *Path(work).iterdir()])
    found = len({*FINDINGS.glob(f"{name}-*")} - before)
    runs = re.findall(r"^#(\d+)\s+\w+\s+cov: (\d+)", log, re.MULTILINE) or [("0", "0")]
    sys.stdout.write(f"{name}: {runs[-1][0]} runs, {runs[-1][1]} edges, {found} findings\n")
    sys.stdout.flush()
    return int(found > 0)


def _add_seeds(folder: Path) -> None:
    """Add inputs to begin with: any number of decisions, many of which are the first option."""
    chance = random.Random(0)  # noqa: S311 - not a secret
    for size in range(20, 20 * SEEDS + 20, 20):
        zeros = chance.random()
        data = bytes(byte * (chance.random() > zeros) for byte in chance.randbytes(size))
        (folder / f"seed{size}").write_bytes(data)


def _libfuzzer(name: str, *arguments: str) -> str:
    """Run libFuzzer in another process; return its log, which is shown as well."""
    options = [f"--libfuzzer={each}" for each in arguments]
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "tests.fuzz", name, *options],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    lines = []
    for line in process.stderr or ():
        sys.stderr.write(line)
        lines.append(line)
    process.wait()
    return "".join(lines)


def _keep(name: str, inputs: list[Path]) -> None:
    """Replace the kept inputs by those of some that reach the most."""
    from tests.fuzz.coverage import reduced

    chosen = {path.name[:16]: path.read_bytes() for path in reduced(inputs, _targets()[name], KEPT)}
    folder = CORPUS / name
    shutil.rmtree(folder)
    folder.mkdir()
    for file, content in chosen.items():
        (folder / file).write_bytes(content)


if __name__ == "__main__":
    logging.disable()
    sys.exit(main())
