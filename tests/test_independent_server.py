"""The independent server of the tests: exact bytes, and rules that no other test would notice."""

import ast
import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import independent
from tests.support.independent import BatchStyle, IndependentServer
from tests.support.independent.batches import write_multipart
from tests.support.independent.websocket_wire import (
    FrameError,
    FrameReader,
    accept_key,
    close_frame,
    frame,
    text_frames,
)

# The examples of RFC 6455, sections 1.3 and 5.7.
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
HELLO = bytes.fromhex("810548656c6c6f")
MASKED_HELLO = bytes.fromhex("818537fa213d7f9f4d5158")
PRESENCE = "/restapi/v1.0/account/~/extension/{}/presence"


async def ask(
    server: IndependentServer, target: str, token: str = "", form: str = ""
) -> tuple[int, str, Any]:
    """Send one request over a socket; return status, head and JSON."""
    port = int(server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    credentials = base64.b64encode(f"{server.client_id}:{server.client_secret}".encode()).decode()
    authorization = f"Bearer {token}" if token else f"Basic {credentials}"
    lines = [
        f"{'POST' if form else 'GET'} {target} HTTP/1.1",
        "Host: localhost",
        f"Authorization: {authorization}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(form)}",
    ]
    writer.write("\r\n".join([*lines, "", form]).encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
    body = await reader.readexactly(length)
    writer.transport.abort()
    return int(head.split(" ")[1]), head, json.loads(body)


async def login(server: IndependentServer) -> str:
    grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
    form = f"grant_type={grant}&assertion={server.jwt}"
    return str((await ask(server, "/restapi/oauth/token", form=form))[2]["access_token"])


def test_it_imports_nothing_of_the_package() -> None:
    folder = Path(independent.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [
                each.name for each in getattr(node, "names", []) if isinstance(each, ast.alias)
            ]
            names.append(getattr(node, "module", None) or "")
            roots = {name.partition(".")[0] for name in names}
            assert not roots & {"aiopresence", "aiohttp"}, path


def test_the_handshake_has_the_key_of_the_rfc() -> None:
    assert accept_key(KEY) == ACCEPT


def test_frames_are_those_of_the_rfc() -> None:
    assert frame(1, b"Hello") == HELLO
    assert text_frames("Hello", 2) == bytes.fromhex("010348656c80026c6f")
    assert frame(2, bytes(256))[:4] == bytes.fromhex("827e0100")
    assert frame(2, bytes(65536))[:10] == bytes.fromhex("827f0000000000010000")
    assert close_frame(1001) == bytes.fromhex("880203e9")


def test_frames_of_a_client_are_read_in_any_pieces() -> None:
    reader = FrameReader()
    found = [each for byte in MASKED_HELLO for each in reader.feed(bytes([byte]))]
    assert found == [(1, b"Hello")]
    with pytest.raises(FrameError, match="mask"):
        list(FrameReader().feed(HELLO))


def test_a_multipart_body_is_written_as_its_style_says() -> None:
    contents = [("application/json", "{}"), ("text/plain", "ä")]
    assert write_multipart(contents, BatchStyle(), "B") == (
        b"--B\r\nContent-Type: application/json\r\n\r\n{}\r\n"
        b"--B\r\nContent-Type: text/plain\r\n\r\n\xc3\xa4\r\n--B--\r\n"
    )
    style = BatchStyle(("\n",), "content-type", ";charset=UTF-8", lengths=True, preamble="P")
    assert write_multipart(contents[1:], style, "B") == (
        b"P\n--B\ncontent-type: text/plain;charset=UTF-8\nContent-Length: 2\n\n\xc3\xa4\n--B--\n"
    )


async def test_what_ringcentral_does_not_expect_is_a_violation() -> None:
    async with IndependentServer(40) as server:
        ids = server.user_ids
        token = await login(server)
        status, head, _ = await ask(server, PRESENCE.format(ids[0]), "wrong")
        assert (status, "RCRequestId: " in head) == (401, True)
        assert server.violations == []
        assert (await ask(server, PRESENCE.format(ids[0]) + "?detailed=true", token))[0] == 200
        assert (await ask(server, PRESENCE.format("%2C".join(ids[:2])), token))[0] == 400
        _, _, error = await ask(server, PRESENCE.format(f"{ids[0]},{ids[0]}"), token)
        assert error["errorCode"] == "CMN-406"
        assert len(server.violations) == 3
        _, _, error = await ask(server, PRESENCE.format(",".join(ids[:31])), token)
        assert error["errorCode"] in {"CMN-106", "InvalidMultipartRequest"}
        assert (await ask(server, PRESENCE.format(",".join(ids[:30])) + "x", token))[0] == 404


async def test_a_sixth_login_ends_the_first() -> None:
    async with IndependentServer(2, limits={"Auth": 9}) as server:
        tokens = [await login(server) for _ in range(6)]
        read = PRESENCE.format("~")
        assert [(await ask(server, read, token))[0] for token in tokens] == [401, *[200] * 5]


async def test_each_request_in_a_penalty_restarts_it() -> None:
    now = 1000.0
    async with IndependentServer(2, limits={"Light": 2}, clock=lambda: now) as server:
        token, read = await login(server), PRESENCE.format("~")
        assert [(await ask(server, read, token))[0] for _ in range(3)] == [200, 200, 429]
        now += 60.5
        status, head, _ = await ask(server, read, token)
        assert (status, "Retry-After: 60\r\n" in head) == (429, True)
        now += 60.5
        assert (await ask(server, read, token))[0] == 429
        now += 61.0
        assert (await ask(server, read, token))[0] == 200
        assert server.quotas.over == {"Light": 3}
