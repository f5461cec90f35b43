"""Who may see the dashboard."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from aiopresence import UsageError
from aiopresence.web import presence_app
from tests.support.dashboards import Served, served

TOKEN = "a-token-of-this-test"
ROUTES = ("", "presence", "presence/101", "changes", "metrics")


@pytest.fixture
async def locked() -> AsyncIterator[Served]:
    async with served(20, token=TOKEN) as dashboard:
        yield dashboard


@pytest.fixture
async def client(locked: Served) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        locked.url, cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as client:
        yield client


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "header",
    [
        None,
        "Bearer",
        "Bearer wrong-token-of-this",
        f"Bearer {TOKEN}x",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \xff\xe9",
    ],
)
async def test_without_the_token_it_shows_nothing(
    client: aiohttp.ClientSession, path: str, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with client.get(path, headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert await response.json() == {
            "error": "the token is missing or wrong",
            "hint": "send the header `Authorization: Bearer TOKEN`, or open the page once with"
            " ?token=TOKEN",
        }


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
async def test_the_token_is_accepted_in_a_header(
    client: aiohttp.ClientSession, path: str, scheme: str
) -> None:
    async with client.head(path, headers={"Authorization": f"{scheme} {TOKEN}"}) as response:
        assert response.status == 200


async def test_opening_the_page_with_the_token_sets_a_cookie(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get(f"?token={TOKEN}", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "./")
        [cookie] = response.headers.getall("Set-Cookie")
        assert await response.read() == b""
    parts = cookie.split("; ")
    assert {"HttpOnly", "SameSite=Strict"} <= {*parts}
    # A browser then takes the folder of the page, wherever that is.
    assert "Path=" not in cookie
    assert "Secure" not in parts
    assert TOKEN not in cookie
    for path in ROUTES:
        async with client.head(path) as response:
            assert response.status == 200


async def test_the_cookie_is_secure_behind_tls(client: aiohttp.ClientSession) -> None:
    headers = {"X-Forwarded-Proto": "https"}
    async with client.get(f"?token={TOKEN}", headers=headers, allow_redirects=False) as response:
        assert "Secure" in response.headers["Set-Cookie"].split("; ")


async def test_the_cookie_of_another_token_is_not_accepted(
    client: aiohttp.ClientSession, locked: Served
) -> None:
    async with client.get(f"?token={TOKEN}", allow_redirects=False) as response:
        [(name, cookie)] = response.cookies.items()
    async with (
        served(20, token="another-token-of-this") as other,
        aiohttp.ClientSession(cookies={name: cookie.value}) as stranger,
        stranger.get(f"{other.url}presence") as response,
    ):
        assert response.status == 401


@pytest.mark.parametrize("given", ["wrong", "", TOKEN.upper(), "%FF%FE"])
async def test_a_wrong_token_in_the_url_is_refused(
    client: aiohttp.ClientSession, given: str
) -> None:
    async with client.get(f"?token={given}", allow_redirects=False) as response:
        assert response.status == 401
        assert "Set-Cookie" not in response.headers
        assert given in ("", "wrong") or given not in await response.text()


async def test_only_the_page_takes_the_token_in_its_url(client: aiohttp.ClientSession) -> None:
    async with client.get(f"presence?token={TOKEN}") as response:
        assert response.status == 401


async def test_health_has_no_details_without_the_token(client: aiohttp.ClientSession) -> None:
    async with client.get("health") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})
    async with client.get("health", headers={"Authorization": f"Bearer {TOKEN}"}) as response:
        assert (await response.json())["extensions"] == 20


async def test_no_log_line_contains_the_token(
    client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for path in (f"?token={TOKEN}", "?token=wrong", "presence"):
        async with client.get(path, headers={"Authorization": f"Bearer {TOKEN}"}) as response:
            await response.read()
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "at least 16 characters"),
        ("short", "at least 16 characters"),
        (b"bytes-instead-of-a-str", "at least 16 characters"),
        ("with spaces in the token", "printable ASCII characters without spaces"),
        ("with-a-newline-at-the-end\n", "printable ASCII characters without spaces"),
        ("mit-Umläuten-im-Token", "printable ASCII characters without spaces"),
    ],
)
async def test_a_token_that_cannot_be_used_is_refused(token: Any, message: str) -> None:
    async with served(1) as dashboard:
        with pytest.raises(UsageError, match=message) as error:
            presence_app(dashboard.board, token=token)
    assert not token or str(token) not in str(error.value)


OWN = ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "wall.localhost"]
OTHER = ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example"]
OTHER += ["10.0.0.1", "[::2]", "0.0.0.0", "", "localhost@evil.example"]  # noqa: S104


@pytest.mark.parametrize("host", [*OWN, *OTHER])
async def test_only_names_of_this_machine_are_accepted_without_a_token(host: str) -> None:
    async with (
        served(1) as dashboard,
        aiohttp.ClientSession(dashboard.url) as client,
        client.get("presence", headers={"Host": host}) as response,
    ):
        assert response.status == (200 if host in OWN else 421)


async def test_health_has_no_details_for_a_name_that_is_not_accepted() -> None:
    async with served(1) as dashboard, aiohttp.ClientSession(dashboard.url) as client:
        for host, details in (("localhost", True), ("evil.example", False)):
            async with client.get("health", headers={"Host": host}) as response:
                answer = await response.json()
                assert (response.status, answer["status"]) == (200, "ok")
                assert ("extensions" in answer) is details


async def test_any_host_is_accepted_with_the_token(client: aiohttp.ClientSession) -> None:
    headers = {"Host": "presence.example.com", "Authorization": f"Bearer {TOKEN}"}
    async with client.get("presence", headers=headers) as response:
        assert response.status == 200


async def test_a_request_without_a_host_is_refused() -> None:
    async with served(1) as dashboard:
        reader, writer = await asyncio.open_connection("127.0.0.1", dashboard.port)
        writer.write(b"GET /presence HTTP/1.0\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.0 421 ")
        writer.close()
