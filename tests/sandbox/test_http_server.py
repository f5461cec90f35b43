"""The HTTP server: which requests it accepts, and how it refuses others."""

import asyncio
import base64
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from aiopresence.sandbox import Answer, Sandbox, http_server
from aiopresence.sandbox.request_body import MAX_SIZE, parse_json
from tests.support.sandbox_raw import JWT_BEARER, TOKEN_PATH, arrived, calling
from tests.support.sandbox_socket import PLENTY

PATH = "/restapi/v1.0/account/~/extension/~/presence"
BODY = b'{"message":"Back at 3"}'


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


@attrs.frozen
class Response:
    """One response, parsed without a library."""

    data: bytes

    @property
    def status(self) -> int:
        return int(self.data.split(b" ")[1])

    @property
    def json(self) -> Any:
        return json.loads(self.data.partition(b"\r\n\r\n")[2])


async def exchange(sandbox: Sandbox, *pieces: bytes) -> bytes:
    """Send bytes on one connection, wait for some response after each, read until the end."""
    host, _, port = sandbox.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    data = b""
    try:
        async with asyncio.timeout(5):
            for piece in pieces[:-1]:
                writer.write(piece)
                data += await reader.read(65536)
            writer.write(pieces[-1])
            return data + await reader.read()
    finally:
        writer.close()


@attrs.frozen
class Bare:
    """Sends raw requests to a sandbox."""

    sandbox: Sandbox
    token: str

    def request(
        self, method: str, target: str, *headers: str, body: bytes = b"", version: str = "1.1"
    ) -> bytes:
        lines = [f"{method} {target} HTTP/{version}", "Host: x", "Connection: close", *headers]
        if not any(line.lower().startswith("authorization:") for line in headers):
            lines.append(f"Authorization: Bearer {self.token}")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def __call__(self, *args: Any, **options: Any) -> Response:
        return Response(await exchange(self.sandbox, self.request(*args, **options)))

    @property
    def message(self) -> str | None:
        message: str | None = self.sandbox.presence("~").get("message")
        return message


@asynccontextmanager
async def bare() -> AsyncIterator[Bare]:
    async with calling(Sandbox(20, limits=PLENTY)) as call:
        yield Bare(call.sandbox, call.token)


async def test_a_100_continue_is_sent_to_a_client_that_expects_it() -> None:
    async with bare() as send:
        head = send.request("PUT", PATH, "Expect: 100-Continue", body=BODY).removesuffix(BODY)
        data = await exchange(send.sandbox, head, BODY)
        first, _, rest = data.partition(b"\r\n\r\n")
        assert first == b"HTTP/1.1 100 Continue"
        assert Response(rest).status == 200
        assert send.message == "Back at 3"


async def test_an_unknown_expectation_is_refused() -> None:
    async with bare() as send:
        assert (await send("PUT", PATH, "Expect: tea", body=BODY)).status == 417
        assert send.message != "Back at 3"
        answer = await send("PUT", PATH, "Expect: 100-continue", body=BODY, version="1.0")
        assert answer.status == 200


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", packed(BODY)),
        ("X-GZIP", packed(BODY[:5]) + packed(BODY[5:])),
        ("deflate", zlib.compress(BODY)),
        ("identity", BODY),
    ],
)
async def test_a_compressed_body_is_read(coding: str, body: bytes) -> None:
    async with bare() as send:
        assert (await send("PUT", PATH, f"Content-Encoding: {coding}", body=body)).status == 200
        assert send.message == "Back at 3"
        assert send.sandbox.requests[-1].body == BODY


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("gzip", b"garbage", 400),
        ("gzip", packed(BODY)[:-4], 400),
        ("gzip", packed(BODY) + b"surplus", 400),
        ("deflate", b"garbage", 400),
        ("gzip", packed(bytes(MAX_SIZE + 1)), 413),
        ("identity", bytes(MAX_SIZE + 1), 413),
        ("br", BODY, 415),
        ("gzip, gzip", packed(packed(BODY)), 415),
    ],
)
async def test_an_invalid_body_is_refused(coding: str, body: bytes, status: int) -> None:
    async with bare() as send:
        answer = await send("PUT", PATH, f"Content-Encoding: {coding}", body=body)
        assert (answer.status, answer.json["errorCode"]) == (status, "CMN-101")
        assert b"RCRequestId" in answer.data
        assert send.sandbox.requests[-1].status == status


async def test_a_body_of_the_largest_size_is_read() -> None:
    async with bare() as send:
        body = packed(BODY.ljust(MAX_SIZE))
        assert (await send("PUT", PATH, "Content-Encoding: gzip", body=body)).status == 200


async def test_faults_and_quota_precede_the_error_of_an_invalid_body() -> None:
    async with bare() as send:
        fault = send.sandbox.faults.add(Answer(503))
        wrong = ("PUT", PATH, "Content-Encoding: br")
        assert (await send(*wrong, body=BODY)).status == 503
        assert fault.fired == 1
        send.sandbox.consume("Medium", PLENTY.get("Medium", 40) + 1)
        assert (await send(*wrong, body=BODY)).status == 429


@pytest.mark.parametrize(
    "text",
    [
        rb'{"message":"\ud800"}',
        rb'{"message":"\udc00\ud800"}',
        rb'{"\ud800":"a field that is ignored"}',
        b'{"message":NaN}',
        b'{"other":-Infinity}',
        b'{"other":1e999}',
        b'{"other":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"message":"\xff"}',
        b'"\xed\xa0\x80"',
        b"",
    ],
)
async def test_json_that_cannot_be_serialized_again_is_refused(text: bytes) -> None:
    async with bare() as send:
        before = send.sandbox.presence("~")
        for method, path in (
            ("PUT", PATH),
            ("PUT", PATH.replace("presence", "call-queue-presence")),
            ("PATCH", PATH.replace("presence", "unified-presence")),
            ("POST", "/restapi/v1.0/subscription"),
        ):
            if text or path != PATH:  # a PUT …/presence without a body changes nothing
                answer = await send(method, path, body=text)
                assert (answer.status, answer.json["errorCode"]) == (400, "CMN-101")
        assert send.sandbox.presence("~") == before
        assert (await send("GET", PATH)).json["extension"]


def test_ordinary_json_is_parsed() -> None:
    value = {"message": "外出中 🍜 \u0000\u001b", "n": [1, 2.5, None, True]}
    for ascii_only in (True, False):
        assert parse_json(json.dumps(value, ensure_ascii=ascii_only)) == value


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC ", "bAsIc"])
async def test_authentication_schemes_ignore_case(scheme: str) -> None:
    async with bare() as send:
        pair = f"{send.sandbox.client_id}:{send.sandbox.client_secret}".encode()
        form = f"grant_type={JWT_BEARER}&assertion={send.sandbox.jwt}".encode()
        header = f"Authorization: {scheme} {base64.b64encode(pair).decode()}"
        answer = await send("POST", TOKEN_PATH, header, body=form)
        assert answer.status == 200
        header = f"Authorization: bEARER {answer.json['access_token']}"
        assert (await send("GET", PATH, header)).status == 200


@pytest.mark.parametrize(
    "credentials", ["Basic", "Basic !", "Basic YQ", "Basic /w==", "Basic YTpi", "Digest YTpi"]
)
async def test_other_credentials_are_refused(credentials: str) -> None:
    async with bare() as send:
        form = f"grant_type={JWT_BEARER}&assertion={send.sandbox.jwt}".encode()
        answer = await send("POST", TOKEN_PATH, f"Authorization: {credentials}", body=form)
        assert (answer.status, answer.json["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("origin", ["http://x", "HTTPS://user@x:1", "http://127.0.0.1"])
async def test_a_target_in_absolute_form_means_its_path(origin: str) -> None:
    async with bare() as send:
        assert (await send("GET", f"{origin}{PATH}?sipData=true")).status == 200
        entry = send.sandbox.requests[-1]
        assert (entry.path, entry.query, entry.group) == (PATH, "sipData=true", "Light")
        assert (await send("GET", origin)).status == 404
        assert send.sandbox.requests[-1].path == "/"


async def test_head_has_the_response_of_get_without_the_body() -> None:
    async with bare() as send:
        got, head = await send("GET", PATH), await send("HEAD", PATH)
        assert head.status == 200
        body = got.data.partition(b"\r\n\r\n")[2]
        assert f"Content-Length: {len(body)}\r\n".encode() in head.data
        assert head.data.endswith(b"\r\n\r\n")
        assert send.sandbox.requests[-1].group == "Light"
        assert (await send("HEAD", PATH.replace("~", "5"))).status == 404
        assert (await send("HEAD", "/restapi/oauth/token")).status == 405


async def test_malformed_requests_are_refused_and_change_nothing() -> None:
    async with bare() as send:
        chunks = b"%x\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(BODY), BODY)
        chunked = send.request("PUT", PATH, "Transfer-Encoding: chunked") + chunks
        account = "/restapi/v1.0/account/"
        cases = [
            (chunked, 200),
            (send.request("GET", PATH, version="1.0"), 200),
            (send.request("GET", PATH, "X-Large: " + "a" * 100_000), 400),
            (send.request("GET", f"{PATH}?{'a' * 100_000}"), 400),
            (send.request("GET", PATH, *(f"X{n}: 1" for n in range(5000))), 400),
            (send.request("PUT", PATH, "Transfer-Encoding: chunked") + b"zz\r\n\r\n", 400),
            (send.request("PUT", PATH, "Content-Length: -1") + BODY, 400),
            (b"\x00\x01\r\n\r\n", 400),
            (send.request("GET", f"{account}%7E/extension/%zz%00/presence"), 400),
            (send.request("GET", f"{account}~/../presence"), 404),
            (send.request("GET", f"{account}~/presence?page=1&page=1&perPage=2"), 200),
            (send.request("GET", f"{account}~/presence?perPage=%D9%A3"), 400),
            (send.request("OPTIONS", "*"), 404),
            (send.request("CONNECT", "x:443"), 404),
            (send.request("TRACE", PATH), 405),
        ]
        for data, status in cases:
            answer = Response(await exchange(send.sandbox, data))
            assert (data[:80], answer.status) == (data[:80], status)
        assert (await send("GET", PATH)).status == 200


async def test_a_client_that_disconnects_within_its_body_changes_nothing() -> None:
    async with bare() as send:
        before = send.message
        head = send.request("PUT", PATH, "Content-Length: 999") + BODY
        host, _, port = send.sandbox.url.removeprefix("http://").rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(head)
        await arrived(send.sandbox, 2)
        writer.close()
        assert (await send("GET", PATH)).status == 200
        assert send.message == before


async def test_the_latest_requests_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert http_server.MOST_REQUESTS == 10_000
    monkeypatch.setattr(http_server, "MOST_REQUESTS", 3)
    async with calling(Sandbox(1, limits=PLENTY)) as call:
        kept = call.sandbox.requests
        for number in range(5):
            await call.get(f"/{number}")
        assert [entry.path for entry in kept] == ["/2", "/3", "/4"]
        assert kept is call.sandbox.requests
