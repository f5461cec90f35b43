"""Processes that read presence at the same time; see `worker_program`."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import attrs

from .ports import HOST

# The longest time to wait for a worker in seconds.
PATIENCE = 60.0
_ROOT = Path(__file__).parents[2]


@attrs.frozen
class Redis:
    """What a worker shares over Redis.

    Attributes:
        url: the server.
        limits: arguments of RedisLimits.
        tokens: arguments of RedisTokenStore; None keeps tokens in memory.
    """

    url: str
    limits: Mapping[str, Any] = attrs.field(factory=dict)
    tokens: Mapping[str, Any] | None = None


@attrs.frozen
class Result:
    """What a worker has done.

    Attributes:
        seconds: how long its reads took.
        answered: how often each id got a record.
        errors: the last error of each id that got none.
        stats: the counters of its session.
    """

    seconds: float
    answered: dict[str, int]
    errors: dict[str, str]
    stats: dict[str, Any]


class Worker:
    """One worker, which waits for `go` with an open session.

    Attributes:
        name: the name that its requests carry.
        pid: its process.
    """

    def __init__(self, name: str, pid: int, connection: socket.socket) -> None:
        self.name = name
        self.pid = pid
        self._connection = connection
        self._lines = connection.makefile("rb")
        self.is_ended = False

    def _read(self) -> dict[str, Any] | None:
        try:
            line = self._lines.readline()
        except ConnectionError:
            line = b""
        return json.loads(line) if line else None

    def wait_ready(self) -> None:
        """Wait until its session is open.

        Raises:
            RuntimeError: it could not be opened.
        """
        if (message := self._read()) != {"ready": True}:
            raise RuntimeError(f"worker {self.name} did not start: {message}")

    def go(self) -> None:
        """Let it read."""
        self._connection.sendall(b"go\n")

    def result(self) -> Result | None:
        """Wait until it has read everything; None if it was killed.

        Raises:
            RuntimeError: it failed.
        """
        message = self._read()
        self.is_ended = True
        if message is not None and "failed" in message:
            raise RuntimeError(f"worker {self.name} failed: {message['failed']}")
        return None if message is None else Result(**message)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal: SIGKILL, SIGSTOP or SIGCONT, for example."""
        os.kill(self.pid, number)

    def close(self) -> None:
        """End it, if it has not ended."""
        if not self.is_ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._lines.close()
        self._connection.close()


class WorkerPool:
    """Starts workers in a few milliseconds each."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.support.worker_program"]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT
        )
        self._listener = socket.create_server((HOST, 0))
        self._listener.settimeout(PATIENCE)
        self._lock = threading.Lock()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        if not self._output.readline():
            raise RuntimeError("the program of the workers has ended")

    def start(
        self,
        name: str,
        server: str,
        ids: Sequence[str],
        *,
        redis: Redis | None = None,
        token: str | None = "static",  # noqa: S107 - a token of a test server
        tasks: int = 50,
        batch: int = 30,
        **options: Any,
    ) -> Worker:
        """Start a worker.

        Args:
            name: the name that its requests carry.
            server: the address of the server.
            ids: what to read.
            redis: what it shares; None shares nothing.
            token: a fixed access token; None logs in.
            tasks: from how many tasks it reads at once.
            batch: how many ids it reads in a request.
            options: arguments of the session.
        """
        limits = {"scope": "test"} if token else {}
        job = {
            "port": self._listener.getsockname()[1],
            "name": name,
            "server": server,
            "ids": [*ids],
            "redis": redis
            and {"url": redis.url, "limits": limits | {**redis.limits}, "tokens": redis.tokens},
            "token": token,
            "tasks": tasks,
            "batch": batch,
            "options": {"concurrency": tasks, **options},
        }
        with self._lock:  # Tests start workers from several threads.
            self._input.write(json.dumps(job) + "\n")
            self._input.flush()
            pid = int(self._output.readline())
            connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE)
        return Worker(name, pid, connection)

    def close(self) -> None:
        """End it."""
        self._input.close()
        self._output.close()
        self._listener.close()
        self._process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def running(workers: Sequence[Worker]) -> Iterator[None]:
    """Wait until workers are ready, let them read, and end them afterwards."""
    try:
        for worker in workers:
            worker.wait_ready()
        for worker in workers:
            worker.go()
        yield
    finally:
        for worker in workers:
            worker.close()
