"""Run commands one after the other in one process, which is faster than a process for each.

`python hostile_driver.py SPEED COMMANDS`: the commands are a JSON list of lists of arguments. After
each, a line with `MARK` and its exit code is written to standard output and to standard error. A
command that does not end by itself gets SIGTERM once it has printed text that contains `SHOWN`.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from math import inf

MARK, SHOWN = "@@ended@@", "Hostile"


def main() -> None:
    import aiopresence.cli
    from aiopresence import PresenceSession
    from aiopresence.transport.clock import Clock

    speed = float(sys.argv[1])
    commands = json.loads(sys.argv[2])

    class Quick(Clock):
        """A clock that runs faster, so that retries take less time."""

        def now(self) -> float:
            return super().now() * speed

        async def wait(self, event: asyncio.Event, seconds: float = inf) -> None:
            await super().wait(event, seconds / speed)

    PresenceSession._clock = Quick()
    write = sys.stdout.write
    endless = False

    def observed(text: str) -> int:
        nonlocal endless
        if endless and SHOWN in text:
            endless = False
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return write(text)

    sys.stdout.write = observed  # type: ignore[method-assign]
    for arguments in commands:
        sys.argv = ["aiopresence", *arguments]
        endless = arguments[0] == "watch"
        code: object = 0
        try:
            aiopresence.cli.main()
        except SystemExit as end:
            code = end.code
        for stream in (sys.stdout, sys.stderr)[: 1 if sys.stdout.isatty() else 2]:
            print(f"{MARK} {code}", file=stream, flush=True)


if __name__ == "__main__":
    main()
