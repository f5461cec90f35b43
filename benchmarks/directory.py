"""How fast is somebody found in a directory of 100,000 people, and what does the directory cost?

The directory is read as always, in 50 pages, through the whole library but for the network. Names
are those of the sandbox with double surnames, so that 100,000 people have 85,000 names.

- Reading, in a process of its own: the CPU time, the longest turn of the event loop, and the memory
  of each entry, with its texts and all that is needed to find it.
- Finding: the time of one call.

Run: python -m benchmarks.directory
"""

import asyncio
import gc
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from aiopresence import Directory, GroupLimits, LookupFailed, PresenceSession, Response
from aiopresence.protocol.rest import Request
from aiopresence.sandbox import fake_people
from aiopresence.transport.http import HttpClient
from aiopresence.transport.network import Network

from . import process
from .report import Row, finish, interleaved, median
from .throughput import Watch

PEOPLE, PAGE = 100_000, 2_000
ROUNDS = 5
# Bytes of an entry, seconds of reading, microseconds of a call that finds, or that searches.
MEMORY, READING, FINDING, SEARCHING, FAILING = 1_000, 3.0, 10.0, 2_000.0, 5_000.0


class Wire(HttpClient):
    """Answers every request for a page of the directory at once."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1", None, 30.0, Network())
        self._pages = [_page(number) for number in range(PEOPLE // PAGE)]

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    def check_open(self) -> None:
        """Do nothing."""

    async def send(self, request: Request[Any], *_: object) -> Response:
        """Return the response."""
        number = int(dict(request.params).get("page", 1))
        return Response(200, {"content-type": "application/json"}, self._pages[number - 1])


class Session(PresenceSession):
    """A session on such a network, with limits that are never reached."""

    def __init__(self, wire: Wire) -> None:
        super().__init__("token", limits={"Medium": GroupLimits(10_000, window=0.01)})
        self._requester._sender.http = wire


def _page(number: int) -> bytes:
    rng = random.Random(number)  # noqa: S311 - invents people
    start = number * PAGE
    records = [_record(rng, start + index) for index in range(PAGE)]
    paging = {"page": number + 1, "perPage": PAGE, "totalPages": PEOPLE // PAGE}
    return json.dumps({"records": records, "paging": paging}).encode()


def _record(rng: random.Random, index: int) -> dict[str, Any]:
    first, _, last = fake_people.person(rng).partition(" ")
    last += "-" + fake_people.person(rng).partition(" ")[2]
    number = str(100_000 + index)
    return {
        "id": str(10**9 + index * 7919),
        "type": "User",
        "status": "Enabled",
        "firstName": first,
        "lastName": last,
        "email": fake_people.email(f"{first} {last}", number),
        "extensionNumber": number,
        "department": fake_people.department(index),
        "jobTitle": fake_people.job_title(index),
        "site": {"id": str(index % 20), "name": f"Site {index % 20}"},
    }


async def read() -> tuple[Directory, dict[str, float]]:
    """Read the directory; return it, and what that took."""
    async with Session(Wire()) as session:
        gc.collect()
        before, began = process.resident(), time.process_time()
        with Watch() as watch:
            directory = await session.read_directory()
        used = time.process_time() - began
        gc.collect()
        memory = (process.resident() - before) * 1024**2 / PEOPLE
    cost = {"seconds": used, "turn": 1000 * watch.used, "collection": 1000 * watch.collected}
    return directory, cost | {"memory": memory}


def of_reading() -> Iterator[Row]:
    """Measure what reading takes."""
    runs = [process.run(__spec__.name, "read") for _ in range(ROUNDS)]
    for name, label, unit, target in (
        ("seconds", f"CPU time of reading {PEOPLE:,} entries", "s", READING),
        ("turn", "longest turn while they are read", "ms", 5.0),
        ("collection", "longest garbage collection while they are read", "ms", None),
        ("memory", "memory of an entry", "bytes", MEMORY),
    ):
        values = [run[name] for run in runs]
        yield median("directory", label, values, unit=unit, target=target)


def of_finding(directory: Directory) -> Iterator[Row]:
    """Measure how long a call takes."""
    count = Counter(entry.name for entry in directory.values())
    person = next(
        each for each in directory.values() if each.first_name == "Zoë" and count[each.name] == 1
    )
    name, email, number = person.name or "", person.email or "", person.extension_number or ""
    find, search = directory.find, directory.search
    calls: dict[str, tuple[Callable[[], object], float | None]] = {
        "find by id": (lambda: find(person.id), FINDING),
        "find by extension number": (lambda: find(number), FINDING),
        "find by e-mail address": (lambda: find(email), FINDING),
        "find by name": (lambda: find(name), FINDING),
        "find with a typing error, near matches": (lambda: _near(directory, f"{name}z"), FAILING),
        "search by a first name that 2,000 people have": (lambda: search("zoe"), SEARCHING),
        "search by two beginnings of names": (lambda: search("zo tor"), SEARCHING),
        "search by the beginning of a number": (lambda: search(number[:4]), SEARCHING),
        "search by one letter": (lambda: search("t"), None),
    }
    times = interleaved({label: call for label, (call, _) in calls.items()}, seconds=0.05)
    for label, (_, target) in calls.items():
        values = [1e6 * seconds for seconds in times[label]]
        yield median("directory", label, values, unit="µs", target=target)


def _near(directory: Directory, text: str) -> LookupFailed:
    try:
        directory.find(text)
    except LookupFailed as error:
        return error
    raise SystemExit(f"there is somebody with the name {text}")


def measure() -> list[Row]:
    """Measure all."""
    directory, _ = asyncio.run(read())
    return [*of_reading(), *of_finding(directory)]


def main() -> int:
    """Measure all; or, with the argument "read", what reading takes."""
    if sys.argv[1:] == ["read"]:
        print(json.dumps(asyncio.run(read())[1]))
        return 0
    return finish(measure())


if __name__ == "__main__":
    sys.exit(main())
