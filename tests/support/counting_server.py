"""A server that counts the requests of several processes together: see `counting_program`."""

import http.client
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import counting_program
from .counting_program import Entry


class CountingServer:
    """The server as its parent process sees it.

    Attributes:
        port: its port on 127.0.0.1.
        url: its address.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def _control(self, name: str, body: object = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", f"/control/{name}", json.dumps(body))
            result: dict[str, Any] = json.loads(connection.getresponse().read())
            return result
        finally:
            connection.close()

    def set(self, **settings: Any) -> None:
        """Change settings."""
        self._control("set", settings)

    def reset(self) -> None:
        """Empty the ledger; windows and penalties stay."""
        self._control("reset")

    @property
    def requests(self) -> int:
        """How many entries the ledger has."""
        return int(self._control("count")["requests"])

    @property
    def ledger(self) -> list[Entry]:
        """Every request to the API and for tokens so far, in the order in which they counted."""
        return [Entry(**each) for each in self._control("report")["ledger"]]

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of "logins" and "refreshes", and of sessions "ended" by a sixth login."""
        return Counter(self._control("report")["counts"])

    @property
    def sessions(self) -> int:
        """How many sessions live, of all users and apps."""
        return sum(self._control("report")["sessions"].values())

    @property
    def access_tokens(self) -> list[str]:
        """The access tokens of the sessions that live."""
        return [token for each in self._control("report")["access"].values() for token in each]

    def send(self, count: int, client: str = "foreign", token: str = "static") -> Counter[int]:  # noqa: S107
        """Send requests as another client of the same login; return how often each status came."""
        statuses: Counter[int] = Counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Authorization": f"Bearer {token}", "X-Client": client}
        try:
            for _ in range(count):
                connection.request(
                    "GET", "/restapi/v1.0/account/~/extension/1/presence", headers=headers
                )
                response = connection.getresponse()
                response.read()
                statuses[response.status] += 1
        finally:
            connection.close()
        return statuses


@contextmanager
def counting_server(**settings: Any) -> Iterator[CountingServer]:
    """Run a server in a process of its own; see `counting_program.Settings`."""
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-I", counting_program.__file__, json.dumps(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield CountingServer(int(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.stdout.close()
        process.kill()
        process.wait(10)
