"""A server that does little: responses of the sandbox, served from memory by aiohttp.

It runs in a process of its own and has four responses: a token, a presence record, a batch, and a
page of 1,000 records of the account, each plain or detailed. Each id, of ten digits, has the
presence of one of 1,000 extensions of a sandbox. Responses are cached. Requests are not counted,
and the limits stated are too high to be reached.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
from aiohttp import web

from . import bodies, process

PAGES, PER_PAGE = 10, 1000
ACCOUNT = "/restapi/v1.0/account/~"

# As long as a real one, and not contained in any response, where it would be redacted.
TOKEN = "U0pDMTJQMDFQQVMwMHxBQUR" * 4
_LOGIN = {
    "access_token": TOKEN,
    "token_type": "bearer",
    "expires_in": 3600,
    "scope": "ReadPresence",
    "owner_id": "1000000001",
    "endpoint_id": "canned",
}
_EDGE = "Boundary_of_a_canned_answer"


def ids(count: int) -> list[str]:
    """Return the first ids of the account."""
    return [str(10**9 + n) for n in range(count)]


@attrs.frozen
class CannedResponse:
    """One response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def response(self) -> web.Response:
        """Return a new object for aiohttp, which sends each only once."""
        return web.Response(status=self.status, headers=self.headers, body=self.body)


class CannedResponses:
    """The responses by path and query."""

    def __init__(self) -> None:
        taken = bodies.take()
        # A record is the list of texts between the occurrences of its id.
        self._records = {
            False: [_split(record) for record in json.loads(taken.page.body)["records"]],
            True: [_split(record) for record in json.loads(taken.detailed_page.body)["records"]],
        }
        self._made: dict[str, CannedResponse] = {}

    async def get(self, request: web.Request) -> web.Response:
        """Respond to a GET."""
        target = request.path_qs
        if target not in self._made:
            self._made[target] = self._make(target)
        return self._made[target].response()

    def _make(self, target: str) -> CannedResponse:
        url = urlsplit(target)
        query = parse_qs(url.query)
        detailed = query.get("detailedTelephonyState") == ["true"]
        if url.path == f"{ACCOUNT}/presence":
            return self._page(int(query.get("page", ["1"])[0]), detailed=detailed)
        asked = url.path.removeprefix(f"{ACCOUNT}/extension/").removesuffix("/presence").split(",")
        if len(asked) == 1:
            return _respond(200, self._record(asked[0], detailed=detailed))
        lines = [_line(f"{ACCOUNT}/extension/{id_}/presence") for id_ in asked]
        documents = [_dump({"response": lines})]
        documents += [self._record(id_, detailed=detailed) for id_ in asked]
        return _respond(207, _multipart(documents), f"multipart/mixed; boundary={_EDGE}")

    def _page(self, number: int, *, detailed: bool) -> CannedResponse:
        start = (number - 1) * PER_PAGE
        end = start + PER_PAGE
        records = [self._record(id_, detailed=detailed) for id_ in ids(end)[start:]]
        tail = _dump(
            {
                "paging": {
                    "page": number,
                    "perPage": PER_PAGE,
                    "pageStart": start,
                    "pageEnd": end - 1,
                    "totalPages": PAGES,
                    "totalElements": PAGES * PER_PAGE,
                },
                "navigation": {"firstPage": {"uri": f"{ACCOUNT}/presence?page=1&perPage=1000"}},
            }
        )
        body = b'{"records":[' + b",".join(records) + b"]," + tail[1:]
        return _respond(200, body, group="heavy")

    def _record(self, id_: str, *, detailed: bool) -> bytes:
        records = self._records[detailed]
        return id_.encode().join(records[int(id_) % len(records)])


def _split(record: dict[str, Any]) -> list[bytes]:
    return _dump(record).split(str(record["extension"]["id"]).encode())


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _line(href: str) -> dict[str, object]:
    return {"href": href, "status": 200, "responseDescription": "OK"}


def _multipart(documents: Sequence[bytes]) -> bytes:
    edge = b"--" + _EDGE.encode()
    head = edge + b"\r\nContent-Type: application/json\r\n\r\n"
    return b"".join(head + document + b"\r\n" for document in documents) + edge + b"--\r\n"


def _respond(
    status: int, body: bytes, content_type: str = "application/json", group: str = "light"
) -> CannedResponse:
    headers = {
        "Content-Type": content_type,
        "RCRequestId": "a0116be5-ab0c-4681-88f8-e3d0d3290a4c",
        "X-Rate-Limit-Group": group,
        "X-Rate-Limit-Limit": str(process.LIMIT),
        "X-Rate-Limit-Remaining": str(process.LIMIT),
        "X-Rate-Limit-Window": f"{process.WINDOW:g}",
    }
    return CannedResponse(status, headers, body)


async def _log_in(_: web.Request) -> web.Response:
    return _respond(200, _dump(_LOGIN), group="auth").response()


async def serve(responses: CannedResponses) -> None:
    """Serve until the input ends."""
    app = web.Application()
    app.router.add_post("/restapi/oauth/token", _log_in)
    app.router.add_get("/{path:.*}", responses.get)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await process.announce_and_wait({"server": f"http://127.0.0.1:{runner.addresses[0][1]}"})
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(CannedResponses()))
