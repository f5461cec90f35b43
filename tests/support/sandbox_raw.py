"""A caller that speaks to the sandbox in plain HTTP, without the library's client."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs
from yarl import URL

from aiopresence.sandbox import Sandbox

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_PATH = "/restapi/oauth/token"
REVOKE_PATH = "/restapi/oauth/revoke"
ACCOUNT_PATH = "/restapi/v1.0/account/~/"


@attrs.define
class HandClock:
    """A clock that a test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@attrs.frozen
class Got:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@attrs.frozen
class Caller:
    """Calls one sandbox. Paths without a leading slash are inside the caller's own account."""

    sandbox: Sandbox
    http: aiohttp.ClientSession
    token: str

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        data: bytes | Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Got:
        path = path if path.startswith("/") else ACCOUNT_PATH + path
        url = URL(self.sandbox.url + path, encoded=True)
        all_headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        async with self.http.request(
            method, url, json=json, data=data, headers=all_headers, allow_redirects=False
        ) as response:
            return Got(response.status, response.headers, await response.read())

    async def get(self, path: str, **headers: str) -> Got:
        return await self("GET", path, headers=headers)

    async def put(self, path: str, json: object) -> Got:
        return await self("PUT", path, json=json)


async def ask_for_token(
    sandbox: Sandbox,
    http: aiohttp.ClientSession,
    form: Mapping[str, str],
    *,
    path: str = TOKEN_PATH,
    secret: bool = True,
) -> Got:
    """Send a form to the token endpoint, as the app with its secret or as a public one."""
    headers = {}
    if secret:
        basic = aiohttp.encode_basic_auth(sandbox.client_id, sandbox.client_secret)
        headers["Authorization"] = basic
    else:
        form = {"client_id": sandbox.client_id, **form}
    async with http.post(sandbox.url + path, data=form, headers=headers) as response:
        return Got(response.status, response.headers, await response.read())


async def log_in(sandbox: Sandbox, http: aiohttp.ClientSession, **changes: str) -> Got:
    form = {"grant_type": JWT_BEARER, "assertion": sandbox.jwt, **changes}
    return await ask_for_token(sandbox, http, form)


@asynccontextmanager
async def calling(sandbox: Sandbox) -> AsyncIterator[Caller]:
    """Start a sandbox and log in."""
    async with sandbox, aiohttp.ClientSession() as http:
        got = await log_in(sandbox, http)
        yield Caller(sandbox, http, got.json["access_token"])


async def arrived(sandbox: Sandbox, count: int) -> None:
    """Wait until a number of requests has arrived."""
    for _ in range(100_000):
        if len(sandbox.requests) >= count:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{len(sandbox.requests)} requests arrived, not {count}")


async def read_socket(sandbox: Sandbox, path: str, token: str) -> bytes:
    """Send one GET on a bare socket and read until the connection ends."""
    host, _, port = sandbox.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        headers = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {token}"
        writer.write(f"GET {path} HTTP/1.1\r\n{headers}\r\n\r\n".encode())
        return await reader.read()
    finally:
        writer.close()


def unmixed(body: bytes, content_type: str, line_ending: bytes = b"\r\n") -> list[Any]:
    """Split a multipart body, without the library's parser."""
    boundary = content_type.partition("boundary=")[2].encode()
    parts = body.split(b"--" + boundary)[1:-1]
    return [json.loads(part.partition(line_ending * 2)[2]) for part in parts]
