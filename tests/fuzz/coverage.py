"""What an input makes the package execute: which lines, in which order, and how much.

It is counted, not timed, so that the result does not depend on the machine.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import aiopresence

T = TypeVar("T")

PACKAGE = str(Path(aiopresence.__file__).parent)

# The name of a file, the line before, and the line.
Step = tuple[str, int, int]


def steps_of(target: Callable[[bytes], object], data: bytes) -> set[Step]:
    """Return each pair of lines of the package that a target executes one after the other."""
    steps: set[Step] = set()

    def enter(frame: FrameType, _event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        file, before = frame.f_code.co_filename, 0

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal before
            if event == "line":
                steps.add((file, before, frame.f_lineno))
                before = frame.f_lineno
            return trace

        return trace

    earlier = sys.gettrace()
    sys.settrace(enter)
    try:
        target(data)
    finally:
        sys.settrace(earlier)
    return steps


def work_of(target: Callable[[T], object], data: T) -> int:
    """Return how many lines of the package a call executes, and how many calls it makes.

    A call of a built-in function counts as one, whatever that does.
    """
    count = 0

    def enter(frame: FrameType, _event: str, _: Any) -> Any:
        return trace if frame.f_code.co_filename.startswith(PACKAGE) else None

    def trace(_frame: FrameType, _event: str, _: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    def profile(_frame: FrameType, event: str, _: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    earlier = sys.gettrace(), sys.getprofile()
    sys.setprofile(profile)
    sys.settrace(enter)
    try:
        target(data)
    finally:
        sys.settrace(earlier[0])
        sys.setprofile(earlier[1])
    return count


def reduced(paths: Iterable[Path], target: Callable[[bytes], object], most: int) -> list[Path]:
    """Return the inputs that reach what no smaller one reaches; those that reach most first.

    Args:
        paths: the files of the inputs.
        target: what they are for.
        most: how many are returned at most.
    """
    seen: set[Step] = set()
    gains: list[tuple[int, Path]] = []
    for path in sorted(paths, key=lambda path: (path.stat().st_size, path.name)):
        new = steps_of(target, path.read_bytes()) - seen
        if new:
            seen |= new
            gains.append((len(new), path))
    gains.sort(key=lambda gain: -gain[0])
    return [path for _, path in gains[:most]]
