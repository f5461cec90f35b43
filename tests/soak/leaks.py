"""What a process has open, and which activity has created each task."""

import asyncio
import ctypes
import gc
import os
import threading
from collections import Counter
from collections.abc import Coroutine
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

_activity: ContextVar[str] = ContextVar("activity", default="")
_SELF = Path("/proc/self")
_PAGE = os.sysconf("SC_PAGE_SIZE") / 1e6
_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc


class Tasks:
    """Knows which activity has created each task, also by way of other tasks."""

    def __init__(self) -> None:
        self._owners: WeakKeyDictionary[asyncio.Task[Any], str] = WeakKeyDictionary()
        asyncio.get_running_loop().set_task_factory(self._create)  # type: ignore[arg-type]

    def _create(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> "asyncio.Task[Any]":
        task = asyncio.Task(coroutine, loop=loop, **options)
        self._owners[task] = _activity.get()
        return task

    def start(self, activity: str, coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Start a task whose tasks are those of an activity."""
        token = _activity.set(activity)
        try:
            return asyncio.create_task(coroutine, name=activity)
        finally:
            _activity.reset(token)

    def running(self) -> Counter[str]:
        """Return how many tasks of each activity have not ended."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        return Counter(self._owners.get(task, "") for task in tasks)

    def describe(self, activity: str) -> str:
        """Return what the tasks of an activity are."""
        tasks = [task for task in asyncio.all_tasks() if self._owners.get(task) == activity]
        return ", ".join(str(task.get_coro()) for task in tasks)


def resources(folder: Path) -> dict[str, int]:
    """Return how many resources of each kind the process has; on Linux only, else threads.

    Args:
        folder: where temporary files are made.
    """
    gc.collect()
    found = {"threads": threading.active_count()}
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    found["temporary files"] = len(files)
    if not _SELF.exists():
        return found
    links = []
    for path in (_SELF / "fd").iterdir():
        try:
            links.append(os.readlink(path))
        except OSError:  # the one by which the directory is read
            continue
    found["sockets"] = sum(link.startswith("socket:") for link in links)
    found["other file descriptors"] = len(links) - found["sockets"]
    children = (_SELF / "task").glob("*/children")
    found["child processes"] = sum(len(path.read_text().split()) for path in children)
    return found


def memory() -> float:
    """Return the memory of the process in megabytes; 0 where it is not known.

    What malloc keeps free is given back to the system before: it is no leak, and takes long to be
    used again when blocks of many sizes come and go.
    """
    if _malloc_trim is not None:
        _malloc_trim(0)
    try:
        return int((_SELF / "statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0.0
