"""The login page: what it shows, what it refuses, and where it redirects."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import attrs
import pytest

from aiopresence import authorize_url
from aiopresence.sandbox import Sandbox
from tests.support.sandbox_raw import Caller, Got, ask_for_token, calling
from tests.support.sandbox_socket import PLENTY

REDIRECT = "http://localhost:8765/callback"
VERIFIER = "v" * 43
PATH = "/restapi/oauth/authorize"


def fields(page: str) -> dict[str, str]:
    """Return the hidden fields of the form."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


@attrs.frozen
class Visitor:
    """A user with a browser."""

    call: Caller

    def query(self, **changes: str | None) -> dict[str, str]:
        address = authorize_url(
            self.call.sandbox.client_id, REDIRECT, state="a&b=c", code_verifier=VERIFIER
        )
        given = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        return {name: value for name, value in {**given, **changes}.items() if value is not None}

    async def visit(self, **changes: str | None) -> Got:
        return await self.call("GET", f"{PATH}?{urlencode(self.query(**changes))}")

    async def decide(self, consent: str, **changes: str | None) -> Got:
        page = await self.visit(**changes)
        assert page.status == 200
        form = {**fields(page.body.decode()), "consent": consent}
        return await self.call("POST", PATH, data=form)


@asynccontextmanager
async def visiting() -> AsyncIterator[Visitor]:
    async with calling(Sandbox(3, limits=PLENTY)) as call:
        yield Visitor(call)


def answer(got: Got) -> dict[str, list[str]]:
    assert got.status == 302
    location = got.headers["Location"]
    assert location.startswith("http://localhost:8765/callback?")
    return parse_qs(urlsplit(location).query)


async def test_a_code_from_the_page_logs_in() -> None:
    async with visiting() as it, aiohttp.ClientSession() as http:
        page = await it.visit()
        assert page.status == 200
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert page.headers["Cache-Control"] == "no-store"
        answered = answer(await it.decide("yes"))
        assert answered["state"] == ["a&b=c"]
        form = {
            "grant_type": "authorization_code",
            "code": answered["code"][0],
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
        }
        got = await ask_for_token(it.call.sandbox, http, form, secret=False)
        assert got.status == 200
        again = await ask_for_token(it.call.sandbox, http, form, secret=False)
        assert (again.status, again.json["error"]) == (400, "invalid_grant")


async def test_denying_sends_an_error_and_no_code() -> None:
    async with visiting() as it:
        for consent in ("no", "", "YES"):
            expected = {"error": ["access_denied"], "state": ["a&b=c"]}
            assert answer(await it.decide(consent)) == expected


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
    ],
)
async def test_an_invalid_request_redirects_with_an_error(
    changes: dict[str, str | None], error: str
) -> None:
    async with visiting() as it:
        assert answer(await it.visit(**changes))["error"] == [error]
        form = {**it.query(**changes), "consent": "yes"}
        assert answer(await it.call("POST", PATH, data=form))["error"] == [error]


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        "https://evil.example/callback",
        "http://evil.example/",
        "http://localhost.evil.example/",
        "http://localhost@evil.example/",
        "http://user:pass@localhost/",
        "http://127.0.0.1:99999/",
        "http://localhost/#fragment",
        "http://localhost/\r\nX-Injected: 1",
        "javascript:alert(1)",
        "//localhost/",
        "http://[::1",
    ],
)
async def test_redirects_to_other_machines_are_refused(uri: str | None) -> None:
    async with visiting() as it:
        for got in (
            await it.visit(redirect_uri=uri),
            await it.call("POST", PATH, data={**it.query(redirect_uri=uri), "consent": "yes"}),
        ):
            assert got.status == 400
            assert "Location" not in got.headers
            assert b"redirect_uri" in got.body


async def test_an_unknown_app_is_not_redirected() -> None:
    async with visiting() as it:
        got = await it.visit(client_id="other")
        assert (got.status, "Location" in got.headers) == (400, False)


async def test_what_the_page_shows_is_escaped() -> None:
    async with visiting() as it:
        uri = "http://localhost:8765/callback?\"'<script>&x=1"
        page = (await it.visit(redirect_uri=uri, state='"><script>alert(1)</script>')).body.decode()
        assert "<script>" not in page
        assert fields(page)["redirect_uri"] == uri
        assert fields(page)["state"] == '"><script>alert(1)</script>'
        location = (await it.decide("yes", redirect_uri=uri)).headers["Location"]
        assert location.startswith(f"{uri}&code=SandboxCode")


async def test_the_page_takes_get_and_post() -> None:
    async with visiting() as it:
        assert (await it.call("PUT", PATH)).status == 405
        assert (await it.call("HEAD", f"{PATH}?{urlencode(it.query())}")).status == 200
        got = await it.call("POST", PATH, data=b"\xff%ff=%ff&client_id=%ED%A0%80")
        assert got.status == 400


async def test_the_oldest_unused_codes_are_removed() -> None:
    async with visiting() as it, aiohttp.ClientSession() as http:
        codes = [it.call.sandbox.new_code(REDIRECT) for _ in range(101)]
        for code, status in ((codes[0], 400), (codes[1], 200), (codes[-1], 200)):
            form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
            assert (await ask_for_token(it.call.sandbox, http, form)).status == status
