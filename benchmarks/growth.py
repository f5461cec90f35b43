"""Do time and memory per id stay constant from a thousand ids to a million?

`iter_user_presence_statuses` reads ids from a generator, through the whole library but for the
network: every request is answered at once, with records that the sandbox wrote for other ids.

- CPU time per id. A thousand ids are read again and again between pieces of one read of a million,
  so that other load on the machine affects both.
- Memory: the peak of a process of its own, less its memory after 300 ids.

Run: python -m benchmarks.growth
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from aiopresence import GetPresenceInfo, GroupLimits, Outcome, PresenceSession, Response
from aiopresence.protocol import multipart
from aiopresence.protocol.rest import Request
from aiopresence.transport.http import HttpClient
from aiopresence.transport.network import Network

from . import bodies, process
from .report import Row, Times, finish, ratio

SMALLEST, LARGEST = 10**3, 10**6
SIZES = (SMALLEST, 10**4, 10**5, LARGEST)
ROUNDS = 100
# The ids of one round: of the largest read, and of each other one.
PIECE, OTHER_PIECE = LARGEST // ROUNDS, 2_000
WARM = 300
TARGET, MEMORY = 1.1, 30.0

Outcomes = AsyncGenerator[Outcome[GetPresenceInfo], None]

_ID = re.compile(rb'(?<=/extension/)\d+|(?<="id":)\d+')


class Wire(HttpClient):
    """Answers every batch at once.

    Args:
        content_type: of a response of the sandbox.
        body: its body.
    """

    def __init__(self, content_type: str, body: bytes) -> None:
        super().__init__("http://127.0.0.1", None, 30.0, Network())
        self._headers = {"content-type": content_type}
        self._dashes = b"--" + multipart.parse_boundary(content_type)
        _, self._summary, *self._records = body.split(self._dashes)[:-1]
        self._cut: dict[int, tuple[list[bytes], list[int]]] = {}

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    def check_open(self) -> None:
        """Do nothing."""

    async def send(self, request: Request[Any], *_: object) -> Response:
        """Return the response."""
        ids = request.path.split("/")[-2].encode().split(b",")
        texts, places = self._cut.get(len(ids)) or self._cut.setdefault(
            len(ids), self._cut_to(len(ids))
        )
        body = [b""] * (len(texts) + len(places))
        body[::2] = texts
        body[1::2] = [ids[place] for place in places]
        return Response(207, self._headers, b"".join(body))

    def _cut_to(self, count: int) -> tuple[list[bytes], list[int]]:
        """Return the texts between the ids of the first records, and the positions of the ids."""
        head, lines = self._summary.split(b"\r\n\r\n")
        lines = json.dumps({"response": json.loads(lines)["response"][:count]}).encode()
        summary = b"%b\r\n\r\n%b\r\n" % (head, lines)
        body = self._dashes.join([b"", summary, *self._records[:count], b"--\r\n"])
        ids = _ID.findall(body)
        order = [*dict.fromkeys(ids)]
        return _ID.split(body), [order.index(id_) for id_ in ids]


class Session(PresenceSession):
    """A session on such a network, with limits that are never reached."""

    def __init__(self, wire: Wire) -> None:
        super().__init__("token", limits={"Light": GroupLimits(10_000, window=0.01)})
        self._requester._sender.http = wire


def ids(count: int) -> Iterator[str]:
    """Yield so many ids."""
    return (str(number) for number in range(10**11, 10**11 + count))


async def again_and_again(session: PresenceSession, count: int) -> Outcomes:
    """Read so many ids, again and again."""
    while True:
        async with aclosing(session.iter_user_presence_statuses(ids(count))) as outcomes:
            async for outcome in outcomes:
                yield outcome


async def take(outcomes: Outcomes, count: int) -> float:
    """Receive some outcomes, and return the CPU time of each in seconds."""
    started = time.process_time()
    for _ in range(count):
        if (await anext(outcomes)).value is None:
            raise SystemExit("an id has no value")
    for _ in range(100):  # reading ahead is not to count for the other reads
        await asyncio.sleep(0)
    return (time.process_time() - started) / count


async def compared(wire: Wire) -> Times:
    """Return the seconds per id for each size, by round."""
    times: dict[str, list[float]] = {str(size): [] for size in SIZES}
    async with Session(wire) as session:
        reads = {size: again_and_again(session, size) for size in SIZES}
        for outcomes in reads.values():
            await take(outcomes, SMALLEST)
        for _ in range(ROUNDS):
            for size, outcomes in reads.items():
                count = PIECE if size == LARGEST else OTHER_PIECE
                times[str(size)].append(await take(outcomes, count))
        for outcomes in reads.values():
            await outcomes.aclose()
    return times


async def grown(wire: Wire, count: int) -> float:
    """Return the MB by which this process grows while it reads so many ids."""
    async with Session(wire) as session:
        reading = again_and_again(session, WARM)
        await take(reading, WARM)
        await reading.aclose()
        before = process.resident()
        reading = again_and_again(session, count)
        await take(reading, count)
        await reading.aclose()
        return process.peak() - before


def measure() -> list[Row]:
    """Measure all."""
    response = bodies.take().plain
    given = {"type": response.headers["content-type"], "body": response.body.decode()}
    times = asyncio.run(compared(Wire(given["type"], response.body)))
    late = {name: values[-ROUNDS // 4 :] for name, values in times.items()}
    return [
        *(_dearer(f"{size:,}", times, size) for size in SIZES[1:]),
        _dearer(f"the last quarter of {LARGEST:,}", late, LARGEST),
        *(_grown(size, given) for size in SIZES),
    ]


def _grown(size: int, given: object) -> Row:
    memory = process.run(__spec__.name, str(size), given=given)
    return Row("growth", f"memory for {size:,} ids", memory, "MB", target=MEMORY)


def _dearer(label: str, times: Times, size: int) -> Row:
    label = f"time per id, {label} over {SMALLEST:,}"
    return ratio("growth", label, times, str(size), str(SMALLEST), target=TARGET)


def main() -> int:
    """Measure all; or, with a number of ids as argument, the memory for them."""
    if not (sys.argv[1:] and sys.argv[1].isdigit()):
        return finish(measure())
    given = json.load(sys.stdin)
    wire = Wire(given["type"], given["body"].encode())
    print(asyncio.run(grown(wire, int(sys.argv[1]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
