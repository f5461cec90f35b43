"""The token endpoint: grants, refreshes, lifetimes and revocation."""

import base64
import hashlib
import random
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from aiopresence.errors import UsageError
from aiopresence.sandbox import Reset, Sandbox
from aiopresence.sandbox.responses import GrantError, RefusedError
from aiopresence.sandbox.tokens import Logins, TokenLifetimes
from tests.support.sandbox_raw import (
    JWT_BEARER,
    REVOKE_PATH,
    Caller,
    Got,
    HandClock,
    ask_for_token,
    calling,
)

PATH = "extension/~/presence"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()[:-1]
URI = "http://localhost:8000/done"
PLENTY = {"Auth": 1000}


def room(**options: Any) -> Sandbox:
    return Sandbox(1, limits=PLENTY, **options)


async def ask(call: Caller, form: Mapping[str, str], *, secret: bool = True) -> Got:
    return await ask_for_token(call.sandbox, call.http, form, secret=secret)


async def revoke(call: Caller, form: Mapping[str, str], *, secret: bool = True) -> Got:
    return await ask_for_token(call.sandbox, call.http, form, path=REVOKE_PATH, secret=secret)


async def log_in(call: Caller, **form: str) -> dict[str, Any]:
    form = {"grant_type": JWT_BEARER, "assertion": call.sandbox.jwt, **form}
    got = await ask(call, form)
    assert got.status == 200
    answer: dict[str, Any] = got.json
    return answer


async def refresh(call: Caller, token: str, **form: str) -> Got:
    return await ask(call, {"grant_type": "refresh_token", "refresh_token": token, **form})


def code_form(code: str, **form: str) -> dict[str, str]:
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": URI, **form}


async def spend(call: Caller, code: str, **form: str) -> Got:
    return await ask(call, code_form(code, **form))


async def state(call: Caller, answer: dict[str, Any]) -> Any:
    """Use an access token; return the status, or the code of a 401."""
    got = await call.get(PATH, Authorization=f"Bearer {answer['access_token']}")
    return got.json["errorCode"] if got.status == 401 else got.status


def refused(got: Got, error: str, code: str, status: int = 400) -> bool:
    found = (got.status, got.json["error"], got.json["errors"][0]["errorCode"])
    return found == (status, error, code)


async def test_a_refresh_replaces_both_tokens() -> None:
    async with calling(room()) as call:
        old = await log_in(call)
        new = (await refresh(call, old["refresh_token"])).json
        assert set(new) == set(old)
        assert new["access_token"] != old["access_token"]
        assert new["refresh_token"] != old["refresh_token"]
        assert new["endpoint_id"] == old["endpoint_id"]
        assert (await state(call, old), await state(call, new)) == ("OAU-213", 200)
        assert (call.sandbox.counters.logins, call.sandbox.counters.refreshes) == (2, 1)


async def test_a_refresh_can_be_repeated_after_a_lost_response() -> None:
    clock = HandClock()
    async with calling(room(clock=clock)) as call:
        old = await log_in(call)
        rule = call.sandbox.faults.add(Reset(after_handling=True))
        with pytest.raises(aiohttp.ClientOSError):
            await refresh(call, old["refresh_token"])
        assert rule.fired == 1
        clock.now += 3599.0
        new = (await refresh(call, old["refresh_token"])).json
        assert new["expires_in"] == 1
        assert await state(call, new) == 200
        again = (await refresh(call, old["refresh_token"])).json
        assert again["access_token"] == new["access_token"]
        assert again["refresh_token"] == new["refresh_token"]
        assert call.sandbox.counters.refreshes == 3


def test_the_grace_ends_ten_seconds_after_the_new_token_is_used() -> None:
    logins = Logins(random.Random(0))  # noqa: S311 - protects nothing
    login = logins.begin(TokenLifetimes(), 0.0)
    assert login.refresh is not None
    old = login.refresh.value
    logins.refresh(old, TokenLifetimes(), 100.0)
    new = login.access.value
    logins.check(new, 150.0)
    logins.check(new, 155.0)  # a later use makes it no longer
    assert logins.refresh(old, TokenLifetimes(), 159.9).access.value == new
    with pytest.raises(GrantError, match="Token not found"):
        logins.refresh(old, TokenLifetimes(), 160.0)


def test_the_grace_ends_after_an_hour_and_with_the_next_refresh() -> None:
    logins = Logins(random.Random(0))  # noqa: S311 - protects nothing
    first = logins.begin(TokenLifetimes(), 0.0)
    second = logins.begin(TokenLifetimes(), 0.0)
    assert first.refresh is not None
    assert second.refresh is not None
    oldest, other = first.refresh.value, second.refresh.value
    logins.refresh(other, TokenLifetimes(), 0.0)
    with pytest.raises(GrantError, match="Token not found"):
        logins.refresh(other, TokenLifetimes(), 3600.0)
    logins.refresh(oldest, TokenLifetimes(), 0.0)
    logins.refresh(first.refresh.value, TokenLifetimes(), 1.0)
    with pytest.raises(GrantError, match="Token not found"):
        logins.refresh(oldest, TokenLifetimes(), 1.0)


async def test_tokens_expire() -> None:
    clock = HandClock()
    async with calling(room(clock=clock, token_lifetime=5.0)) as call:
        answer = await log_in(call)
        assert answer["expires_in"] == 5
        clock.now += 4.9
        assert await state(call, answer) == 200
        clock.now += 0.1
        assert await state(call, answer) == "OAU-128"
        clock.now += answer["refresh_token_expires_in"]
        got = await refresh(call, answer["refresh_token"])
        assert refused(got, "invalid_grant", "OAU-210")


async def test_refresh_tokens_can_be_expired_on_request() -> None:
    async with calling(room()) as call:
        one = await log_in(call)
        two = (await refresh(call, one["refresh_token"])).json
        call.sandbox.expire_refresh_tokens()
        assert refused(await refresh(call, two["refresh_token"]), "invalid_grant", "OAU-210")
        assert refused(await refresh(call, one["refresh_token"]), "invalid_grant", "OAU-213")
        assert await state(call, two) == 200


async def test_expired_access_tokens_do_not_end_the_login() -> None:
    async with calling(room()) as call:
        answer = await log_in(call)
        call.sandbox.expire_tokens()
        assert await state(call, answer) == "OAU-128"
        new = (await refresh(call, answer["refresh_token"])).json
        assert (await state(call, answer), await state(call, new)) == ("OAU-213", 200)


async def test_an_unknown_refresh_token_is_refused() -> None:
    async with calling(room()) as call:
        assert refused(await refresh(call, "wrong"), "invalid_grant", "OAU-213")
        assert refused(await ask(call, {"grant_type": "refresh_token"}), "invalid_grant", "OAU-213")
        assert call.sandbox.counters.refreshes == 0


@pytest.mark.parametrize(
    ("asked", "given"), [("600", 600), ("1800", 1800), ("1", 600), ("-5", 600), ("9999", 3600)]
)
async def test_access_tokens_have_the_requested_lifetime(asked: str, given: int) -> None:
    clock = HandClock()
    async with calling(room(clock=clock, token_lifetime=5.0)) as call:
        answer = await log_in(call, access_token_ttl=asked)
        assert answer["expires_in"] == given
        clock.now += given - 1
        assert await state(call, answer) == 200
        clock.now += 1
        assert await state(call, answer) == "OAU-128"


async def test_refresh_tokens_have_the_requested_lifetime() -> None:
    clock = HandClock()
    async with calling(room(clock=clock)) as call:
        answer = await log_in(call, refresh_token_ttl="100")
        assert answer["refresh_token_expires_in"] == 100
        clock.now += 100
        assert refused(await refresh(call, answer["refresh_token"]), "invalid_grant", "OAU-210")
        long = await log_in(call, refresh_token_ttl="999999999")
        assert long["refresh_token_expires_in"] == 604800
        short = (await refresh(call, long["refresh_token"], refresh_token_ttl="50")).json
        assert short["refresh_token_expires_in"] == 50


async def test_logins_can_be_without_refresh_tokens() -> None:
    async with calling(room(refresh_tokens=False)) as call:
        for form in ({}, {"refresh_token_ttl": "500"}):
            answer = await log_in(call, **form)
            assert not {"refresh_token", "refresh_token_expires_in"} & set(answer)
    async with calling(room()) as call:
        answer = await log_in(call, refresh_token_ttl="0")
        assert "refresh_token" not in answer
        assert await state(call, answer) == 200


@pytest.mark.parametrize("name", ["access_token_ttl", "refresh_token_ttl"])
@pytest.mark.parametrize("ttl", ["soon", "1.5", "٦٠٠"])
async def test_a_requested_lifetime_must_be_a_number(name: str, ttl: str) -> None:
    async with calling(room()) as call:
        form = {"grant_type": JWT_BEARER, "assertion": call.sandbox.jwt, name: ttl}
        assert refused(await ask(call, form), "invalid_request", "OAU-250")


async def test_a_code_works_once() -> None:
    async with calling(room()) as call:
        code = call.sandbox.new_code(URI)
        answer = (await spend(call, code)).json
        assert await state(call, answer) == 200
        assert refused(await spend(call, code), "invalid_grant", "OAU-140")
        assert refused(await spend(call, "wrong"), "invalid_grant", "OAU-140")
        assert call.sandbox.counters.logins == 2


async def test_a_code_is_for_one_redirect_uri() -> None:
    async with calling(room()) as call:
        code = call.sandbox.new_code(URI)
        assert refused(await spend(call, code, redirect_uri=URI + "/"), "invalid_grant", "OAU-109")


@pytest.mark.parametrize(
    ("challenge", "verifier"),
    [(CHALLENGE, "w" * 43), (CHALLENGE, CHALLENGE), (CHALLENGE, None), (None, VERIFIER)],
)
@pytest.mark.parametrize("secret", [True, False])
async def test_a_verifier_must_match_the_challenge(
    challenge: str | None, verifier: str | None, secret: bool
) -> None:
    async with calling(room()) as call:
        code = call.sandbox.new_code(URI, challenge)
        form = {} if verifier is None else {"code_verifier": verifier}
        got = await ask(call, code_form(code, **form), secret=secret)
        assert refused(got, "invalid_grant", "OAU-140")


async def test_a_public_client_logs_in_with_pkce_and_refreshes() -> None:
    async with calling(room()) as call:
        code = call.sandbox.new_code(URI, CHALLENGE)
        form = code_form(code, code_verifier=VERIFIER)
        answer = (await ask(call, form, secret=False)).json
        assert await state(call, answer) == 200
        form = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]}
        new = (await ask(call, form, secret=False)).json
        assert await state(call, new) == 200


async def test_a_client_with_a_secret_may_use_pkce() -> None:
    async with calling(room()) as call:
        code = call.sandbox.new_code(URI, CHALLENGE)
        assert (await spend(call, code, code_verifier=VERIFIER)).status == 200


async def test_a_public_client_needs_pkce_and_cannot_use_a_jwt() -> None:
    async with calling(room()) as call:
        code = call.sandbox.new_code(URI)
        got = await ask(call, code_form(code), secret=False)
        assert refused(got, "invalid_grant", "OAU-140")
        form = {"grant_type": JWT_BEARER, "assertion": call.sandbox.jwt}
        got = await ask(call, form, secret=False)
        assert refused(got, "invalid_client", "OAU-147", 401)


async def test_unknown_clients_are_refused() -> None:
    async with calling(room()) as call:
        answer = await log_in(call)
        token = answer["refresh_token"]
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "other"}
        got = await ask(call, form, secret=False)
        assert refused(got, "invalid_client", "OAU-147", 401)
        assert got.headers["WWW-Authenticate"].startswith("Basic ")
        form = {"token": answer["access_token"], "client_id": "other"}
        got = await revoke(call, form, secret=False)
        assert refused(got, "invalid_client", "OAU-147", 401)
        assert await state(call, answer) == 200


async def test_a_sixth_login_ends_the_oldest() -> None:
    async with calling(room()) as call:  # which logs in once
        first, *others = [await log_in(call) for _ in range(4)]
        new = (await refresh(call, first["refresh_token"])).json  # keeps its place
        assert (await call.get(PATH)).status == 200
        sixth = await log_in(call)
        assert (await call.get(PATH)).json["errorCode"] == "OAU-213"
        assert await state(call, new) == 200
        await log_in(call)
        assert await state(call, new) == "OAU-213"
        assert refused(await refresh(call, new["refresh_token"]), "invalid_grant", "OAU-213")
        assert [await state(call, each) for each in (*others, sixth)] == [200] * 4


@pytest.mark.parametrize("token", ["access_token", "refresh_token"])
@pytest.mark.parametrize("secret", [True, False])
async def test_revoking_either_token_ends_the_login(token: str, secret: bool) -> None:
    async with calling(room()) as call:
        answer, other = await log_in(call), await log_in(call)
        for _ in range(2):
            assert (await revoke(call, {"token": answer[token]}, secret=secret)).status == 200
        assert await state(call, answer) == "OAU-213"
        assert refused(await refresh(call, answer["refresh_token"]), "invalid_grant", "OAU-213")
        assert await state(call, other) == 200


async def test_revoking_a_token_that_was_just_replaced_ends_the_login() -> None:
    async with calling(room()) as call:
        old = await log_in(call)
        new = (await refresh(call, old["refresh_token"])).json
        await revoke(call, {"token": old["refresh_token"]})
        assert await state(call, new) == "OAU-213"


async def test_token_requests_must_be_posts() -> None:
    async with calling(room()) as call:
        for path in ("/restapi/oauth/token", REVOKE_PATH):
            got = await call.get(path)
            assert (got.status, got.headers["Allow"]) == (405, "POST")


def test_no_repr_has_credentials() -> None:
    logins = Logins(random.Random(0))  # noqa: S311 - protects nothing
    login = logins.begin(TokenLifetimes(), 0.0)
    assert login.refresh is not None
    replaced = login.refresh.value
    logins.refresh(replaced, TokenLifetimes(), 0.0)
    assert login.refresh is not None
    secrets = (login.access.value, login.refresh.value, replaced)
    assert not any(secret in repr(logins) + repr(login) for secret in secrets)
    with pytest.raises(RefusedError) as refusal:
        logins.check("guessed-it", 0.0)
    assert "guessed-it" not in repr(refusal.value)


def test_token_lifetimes_must_be_positive() -> None:
    with pytest.raises(UsageError, match="token_lifetime"):
        Sandbox(1, token_lifetime=-1.0)
