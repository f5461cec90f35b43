"""The sandbox as a server: start and close, tokens, recorded requests, presence controls."""

import asyncio
import time

import aiohttp
import pytest

from aiopresence.errors import UsageError
from aiopresence.sandbox import Sandbox
from tests.support.sandbox_raw import TOKEN_PATH, arrived, calling, log_in, read_socket
from tests.support.virtual import virtual


def test_the_same_seed_makes_the_same_account() -> None:
    one, same, other = Sandbox(60, seed=5), Sandbox(60, seed=5), Sandbox(60, seed=6)
    assert one.extension_ids == same.extension_ids != other.extension_ids
    assert one.grant == same.grant != other.grant
    assert one.account_id == same.account_id
    assert one.jwt == same.jwt
    assert one.client_secret == same.client_secret


@pytest.mark.parametrize("count", [1, 19, 20, 60])
def test_the_account_has_the_given_number_of_extensions(count: int) -> None:
    sandbox = Sandbox(count)
    assert len(set(sandbox.extension_ids)) == count
    assert all(9 <= len(each) <= 12 and each.isdigit() for each in sandbox.extension_ids)
    assert sandbox.extension_ids[0] == sandbox.user_ids[0]
    assert len(sandbox.user_ids) == count - count // 20
    assert set(sandbox.queue_ids) <= set(sandbox.extension_ids) - set(sandbox.user_ids)
    assert bool(sandbox.queue_ids) == (count >= 20)


def test_a_sandbox_without_extensions_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="from 1 to 100000"):
        Sandbox(0)


async def test_the_account_has_varied_presence() -> None:
    async with Sandbox(1000) as sandbox:
        records = [sandbox.presence(each, detailed=True) for each in sandbox.user_ids]
        for name, words in {
            "telephonyStatus": {"NoCall", "CallConnected", "Ringing", "OnHold"},
            "userStatus": {"Available", "Busy", "Offline"},
            "meetingStatus": {"Connected", "Disconnected"},
        }.items():
            assert {record[name] for record in records} == words
        talking = sum(record["telephonyStatus"] == "CallConnected" for record in records)
        assert 0.09 < talking / len(records) < 0.16
        starts = [call["startTime"] for record in records for call in record["activeCalls"]]
        assert {start[-5:] for start in starts if start.endswith("+0000")} == {"+0000"}
        assert any(start.endswith("Z") for start in starts)
        assert any(not record.get("message", "").isascii() for record in records)


async def test_the_url_exists_only_while_it_runs() -> None:
    sandbox = Sandbox(1)
    with pytest.raises(UsageError, match="not started"):
        _ = sandbox.url
    async with sandbox:
        assert sandbox.url.startswith("http://127.0.0.1:")
        with pytest.raises(UsageError, match="started already"):
            await sandbox.start()
    with pytest.raises(UsageError, match="not started"):
        _ = sandbox.url
    await sandbox.close()
    async with sandbox:
        assert sandbox.url


async def test_a_login_with_the_jwt_returns_a_token() -> None:
    async with Sandbox(1) as sandbox, aiohttp.ClientSession() as http:
        got = await log_in(sandbox, http)
        assert got.status == 200
        assert set(got.json) == {
            "access_token", "token_type", "expires_in", "refresh_token",
            "refresh_token_expires_in", "scope", "owner_id", "endpoint_id",
        }  # fmt: skip
        assert (got.json["token_type"], got.json["expires_in"]) == ("bearer", 3600)
        assert got.json["owner_id"] == sandbox.extension_ids[0]
        assert got.headers["X-Rate-Limit-Group"] == "auth"
        assert got.headers["X-Rate-Limit-Remaining"] == "4"
        assert got.headers["RCRequestId"]


@pytest.mark.parametrize(
    ("form", "error", "code"),
    [
        ({"assertion": "no"}, "invalid_grant", "OAU-140"),
        ({"grant_type": "password"}, "unsupported_grant_type", "OAU-250"),
    ],
)
async def test_a_wrong_form_gets_no_token(form: dict[str, str], error: str, code: str) -> None:
    async with Sandbox(1) as sandbox, aiohttp.ClientSession() as http:
        got = await log_in(sandbox, http, **form)
        assert (got.status, got.json["error"]) == (400, error)
        assert got.json["errors"][0]["errorCode"] == code
        assert got.json["error_description"]


async def test_a_wrong_client_gets_no_token() -> None:
    async with calling(Sandbox(1)) as call:
        got = await call("POST", TOKEN_PATH, data={"assertion": call.sandbox.jwt})
        assert (got.status, got.json["error"]) == (401, "invalid_client")


async def test_requests_need_a_valid_token() -> None:
    async with calling(Sandbox(1)) as call:
        assert (await call.get("extension/~/presence")).status == 200
        for header in ("Bearer wrong", "Basic x", ""):
            got = await call.get("extension/~/presence", Authorization=header)
            assert (got.status, got.json["errorCode"]) == (401, "OAU-213")
            assert got.headers["WWW-Authenticate"].startswith("Bearer ")
            assert "X-Rate-Limit-Group" not in got.headers
        call.sandbox.expire_tokens()
        got = await call.get("extension/~/presence")
        assert (got.status, got.json["errorCode"]) == (401, "OAU-128")
        fresh = (await log_in(call.sandbox, call.http)).json["access_token"]
        got = await call.get("extension/~/presence", Authorization=f"Bearer {fresh}")
        assert got.status == 200


async def test_requests_are_counted_per_group() -> None:
    async with calling(Sandbox(2)) as call:
        left = [
            (await call.get(path)).headers["X-Rate-Limit-Remaining"]
            for path in ("extension/~/presence", "presence", "extension/~/presence")
        ]
        assert left == ["49", "9", "48"]


async def test_requests_are_recorded_as_on_the_wire() -> None:
    async with calling(Sandbox(2)) as call:
        start = time.monotonic()
        await call.get("extension/5,%7E,7/presence?sipData=true&x=%20")
        await call("PATCH", "extension/~/unified-presence", data=b"{}", headers={"X-Mine": "1"})
        await call.get("/nowhere")
        login, batch, patch, nowhere = call.sandbox.requests
        assert (login.method, login.path, login.group) == ("POST", TOKEN_PATH, "Auth")
        assert (login.token, login.ids, login.status) == (None, (), 200)
        assert batch.path == "/restapi/v1.0/account/~/extension/5,%7E,7/presence"
        assert batch.query == "sipData=true&x=%20"
        assert (batch.group, batch.ids, batch.status) == ("Light", ("5", "%7E", "7"), 400)
        assert batch.token == call.token
        assert start <= batch.arrival <= patch.arrival <= time.monotonic()
        assert (patch.group, patch.body, patch.headers["x-mine"]) == ("Medium", b"{}", "1")
        assert (nowhere.group, nowhere.status) == ("", 404)
        secrets = (call.token, call.sandbox.jwt, call.sandbox.client_secret)
        shown = repr(call.sandbox.requests) + repr(call.sandbox) + repr(call.sandbox.grant)
        assert not any(secret in shown for secret in secrets)


async def test_a_call_rings_connects_is_held_and_ends() -> None:
    async with Sandbox(1) as sandbox:
        sandbox.set_presence("~", active_calls=[])
        seen = []
        for step in (sandbox.ring, sandbox.answer, sandbox.hold, sandbox.answer, sandbox.hang_up):
            step("~")
            seen.append(sandbox.presence("~")["telephonyStatus"])
        assert seen == ["Ringing", "CallConnected", "OnHold", "CallConnected", "NoCall"]
        (ended,) = sandbox.presence("~", detailed=True)["activeCalls"]
        assert (ended["telephonyStatus"], ended["terminationType"]) == ("NoCall", "final")
        with pytest.raises(UsageError, match="no call"):
            sandbox.hang_up("~")


async def test_only_the_latest_calls_are_listed() -> None:
    async with Sandbox(1) as sandbox:
        for number in range(9):
            sandbox.ring("~", from_=f"+1202555010{number}")
        calls = sandbox.presence("~", detailed=True)["activeCalls"]
        assert [call["from"][-1] for call in calls] == list("2345678")


async def test_a_telephony_status_changes_the_calls_to_match() -> None:
    async with Sandbox(1) as sandbox:
        sandbox.set_presence("~", active_calls=[], user_status="Available")
        for status in ("ParkedCall", "OnHold", "NoCall", "Ringing"):
            sandbox.set_presence("~", telephony_status=status)
            record = sandbox.presence("~", detailed=True)
            assert record["telephonyStatus"] == status
            assert record["activeCalls"][-1]["telephonyStatus"] == status


async def test_set_presence_refuses_unknown_names_and_values() -> None:
    async with Sandbox(20) as sandbox:
        before = sandbox.presence("~")
        with pytest.raises(UsageError, match="user_status must be one of Available, Busy"):
            sandbox.set_presence("~", message="x", user_status="Asleep")
        with pytest.raises(UsageError, match="userStatus cannot be set"):
            sandbox.set_presence("~", userStatus="Busy")
        with pytest.raises(UsageError, match="active_calls must be"):
            sandbox.set_presence("~", active_calls=[{"telephonyStatus": "Dreaming"}])
        with pytest.raises(UsageError, match="no extension '5'"):
            sandbox.set_presence("5", user_status="Busy")
        with pytest.raises(UsageError, match="Department"):
            sandbox.set_presence(sandbox.queue_ids[0], user_status="Busy")
        assert sandbox.presence("~") == before


async def test_latency_delays_every_response() -> None:
    async with calling(Sandbox(1, latency=0.02)) as call:
        start = time.monotonic()
        await call.get("extension/~/presence")
        assert time.monotonic() - start >= 0.02


@virtual
async def test_closing_ends_responses_in_progress() -> None:
    sandbox = Sandbox(1, latency=60)
    async with sandbox:
        waiting = asyncio.ensure_future(read_socket(sandbox, "/", "x"))
        await arrived(sandbox, 1)
        start = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - start < 1
    await waiting
