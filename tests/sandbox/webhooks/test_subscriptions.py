"""Webhook subscriptions over plain HTTP: endpoints, handshake, deliveries and controls."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import attrs
import pytest
from aiohttp import web

from aiopresence import UsageError
from aiopresence.sandbox import Answer, Sandbox
from tests.support.sandbox_raw import Caller, Got, calling
from tests.support.webhook_calls import served

SUBSCRIPTION = "/restapi/v1.0/subscription"
FILTER = "/restapi/v1.0/account/~/presence"
SECRET = "shown-to-webhooks"


@attrs.define
class Hook:
    """A webhook that records all requests, with a response that a test sets."""

    calls: list[tuple[dict[str, str], bytes]] = attrs.field(factory=list)
    answers: list[int] = attrs.field(factory=list)
    shake: Callable[[str], web.Response] = lambda challenge: web.Response(
        headers={"Validation-Token": challenge, "Content-Type": "application/json"}
    )
    url: str = ""

    async def serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.calls.append(({k.lower(): v for k, v in request.headers.items()}, body))
        challenge = request.headers.get("Validation-Token")
        if challenge is not None and not body:
            return self.shake(challenge)
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    @property
    def events(self) -> list[Any]:
        return [json.loads(body) for _, body in self.calls if body]


@pytest.fixture
async def call() -> AsyncIterator[Caller]:
    async with calling(Sandbox(extensions=20)) as call:
        call.sandbox.webhooks.retry_seconds = 0.0
        yield call


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    async with served(hook.serve) as there:
        hook.url = there.url
        yield hook


def subscription_body(address: str, **more: Any) -> dict[str, Any]:
    mode = {"transportType": "WebHook", "address": address, "verificationToken": SECRET}
    return {"eventFilters": [FILTER], "deliveryMode": mode, **more}


async def subscribe(call: Caller, hook: Hook, **more: Any) -> Any:
    got = await call("POST", SUBSCRIPTION, json=subscription_body(hook.url, **more))
    assert got.status == 200
    return got.json


def busy(sandbox: Sandbox, number: int = 1) -> None:
    sandbox.set_presence(sandbox.user_ids[number], user_status="Busy")


async def test_a_webhook_passes_the_handshake_and_gets_notifications(
    call: Caller, hook: Hook
) -> None:
    made = await subscribe(call, hook, expiresIn=3600)
    assert made["status"] == "Active"
    assert made["deliveryMode"] == {"transportType": "WebHook", "address": hook.url}
    assert 3590 <= made["expiresIn"] <= 3600
    assert SECRET not in json.dumps(made)
    [(headers, body)] = hook.calls
    assert headers["validation-token"]
    assert body == b""
    busy(call.sandbox)
    await call.sandbox.webhooks.delivered()
    [event] = hook.events
    assert event["subscriptionId"] == made["id"]
    assert event["body"]["extensionId"] == call.sandbox.user_ids[1]
    assert hook.calls[1][0]["verification-token"] == SECRET
    handshake, delivery = call.sandbox.webhooks.deliveries
    assert (handshake.uuid, handshake.status) == (None, 200)
    assert (delivery.uuid, delivery.status, delivery.attempt) == (event["uuid"], 200, 1)
    assert 0 < delivery.size < 1024
    assert delivery.seconds < 3


async def test_the_secret_may_be_in_the_other_header(call: Caller, hook: Hook) -> None:
    await subscribe(call, hook)
    call.sandbox.webhooks.secret_in("Validation-Token")
    busy(call.sandbox)
    await call.sandbox.webhooks.delivered()
    assert hook.calls[1][0]["validation-token"] == SECRET
    assert "verification-token" not in hook.calls[1][0]


JSON = {"Content-Type": "application/json"}
REPLIES: list[tuple[Callable[[str], web.Response], str]] = [
    (lambda c: web.Response(status=500), "no 200"),
    (lambda c: web.Response(headers=JSON), "not echoed"),
    (lambda c: web.Response(headers={**JSON, "Validation-Token": c + "x"}), "not echoed"),
    (lambda c: web.Response(headers={"Validation-Token": c}), "not application/json"),
    (
        lambda c: web.Response(text="x" * 900, headers={**JSON, "Validation-Token": c}),
        "not less than 1024 bytes",
    ),
]


@pytest.mark.parametrize(("shake", "objection"), REPLIES)
async def test_an_invalid_handshake_is_refused(
    call: Caller, hook: Hook, shake: Callable[[str], web.Response], objection: str
) -> None:
    hook.shake = shake
    got = await call("POST", SUBSCRIPTION, json=subscription_body(hook.url))
    assert (got.status, got.json["errorCode"]) == (400, "SUB-525")
    assert objection in got.json["message"]
    assert got.headers["RCRequestId"]
    assert call.sandbox.webhooks.subscriptions == ()


async def test_a_slow_or_unreachable_webhook_is_refused(call: Caller) -> None:
    call.sandbox.webhooks.timeout = 0.02
    never = asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    async with served(slow) as there:
        got = await call("POST", SUBSCRIPTION, json=subscription_body(there.url))
        assert got.json["errorCode"] == "SUB-525"
        never.set()
    got = await call("POST", SUBSCRIPTION, json=subscription_body(there.url))
    assert got.json["errorCode"] == "SUB-525"
    assert [each.status for each in call.sandbox.webhooks.deliveries] == [None, None]


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"deliveryMode": None}, "deliveryMode.transportType"),
        ({"deliveryMode": {"transportType": "PubNub"}}, "deliveryMode.transportType"),
        ({"eventFilters": None}, "eventFilters"),
        ({"eventFilters": []}, "eventFilters"),
        ({"eventFilters": ["/nonsense"]}, "eventFilters"),
        ({"expiresIn": 59}, "expiresIn"),
        ({"expiresIn": 10**9}, "expiresIn"),
        ({"expiresIn": "60"}, "expiresIn"),
    ],
)
async def test_an_invalid_subscription_is_refused(
    call: Caller, hook: Hook, changes: dict[str, Any], parameter: str
) -> None:
    got = await call("POST", SUBSCRIPTION, json=subscription_body(hook.url, **changes))
    assert (got.status, got.json["parameterName"]) == (400, parameter)
    assert hook.calls == []


@pytest.mark.parametrize(
    "address",
    ["https://localhost/", "http://example.com/", "http://8.8.8.8/", "", None, 5, "http://[::1"],
)
async def test_addresses_on_other_machines_are_refused(call: Caller, address: Any) -> None:
    got = await call("POST", SUBSCRIPTION, json=subscription_body(address))
    assert (got.status, got.json["parameterName"]) == (400, "deliveryMode.address")
    assert call.sandbox.webhooks.deliveries == []


async def test_a_subscription_is_shown_changed_renewed_and_ended(call: Caller, hook: Hook) -> None:
    path = f"{SUBSCRIPTION}/{(await subscribe(call, hook, expiresIn=100))['id']}"
    assert (await call("GET", path)).json["status"] == "Active"
    listed = (await call("GET", SUBSCRIPTION)).json["records"]
    assert [each["id"] for each in listed] == [path.rpartition("/")[2]]
    me = f"/restapi/v1.0/account/{call.sandbox.account_id}/extension/{call.sandbox.user_ids[0]}"
    changed = await call("PUT", path, json={"eventFilters": [f"{me}/presence"], "expiresIn": 5000})
    assert changed.json["eventFilters"] == [f"{me}/presence"]
    assert changed.json["expiresIn"] > 4000
    assert (await call("POST", f"{path}/renew")).json["expiresIn"] > 4000
    busy(call.sandbox, 1)
    busy(call.sandbox, 0)
    await call.sandbox.webhooks.delivered()
    assert [each["body"]["extensionId"] for each in hook.events] == [call.sandbox.user_ids[0]]
    assert (await call("DELETE", path)).status == 204
    gone = [await call(m, path) for m in ("GET", "PUT", "DELETE")]
    assert {(got.status, got.json["errorCode"]) for got in gone} == {(404, "CMN-102")}
    busy(call.sandbox, 2)
    assert len(hook.events) == 1


async def test_requests_count_in_their_groups_and_need_a_token(call: Caller, hook: Hook) -> None:
    id_ = (await subscribe(call, hook))["id"]
    await call("GET", f"{SUBSCRIPTION}/{id_}")
    await call("POST", f"{SUBSCRIPTION}/{id_}/renew")
    assert [each.group for each in call.sandbox.requests[1:]] == ["Medium", "Light", "Medium"]
    for method, path in [("PATCH", ""), ("DELETE", ""), ("POST", f"/{id_}"), ("GET", "/x/renew")]:
        got = await call(method, SUBSCRIPTION + path)
        assert got.status == 405
        assert got.headers["Allow"]
    strange: Got = await attrs.evolve(call, token="no")("GET", SUBSCRIPTION)
    assert strange.status == 401


async def test_a_failed_delivery_is_repeated_with_the_same_uuid(call: Caller, hook: Hook) -> None:
    await subscribe(call, hook)
    hook.answers = [500, 503, 200]
    busy(call.sandbox)
    await call.sandbox.webhooks.delivered()
    tries = call.sandbox.webhooks.deliveries[1:]
    assert [each.status for each in tries] == [500, 503, 200]
    assert [each.attempt for each in tries] == [1, 2, 3]
    assert len({each.uuid for each in tries}) == 1
    assert call.sandbox.webhooks.subscriptions[0].status == "Active"


async def test_a_webhook_that_keeps_failing_is_blacklisted(call: Caller, hook: Hook) -> None:
    id_ = (await subscribe(call, hook))["id"]
    assert call.sandbox.webhooks.attempts == 3
    call.sandbox.webhooks.attempts = 2
    hook.answers = [500] * 9
    busy(call.sandbox, 1)
    busy(call.sandbox, 2)
    await call.sandbox.webhooks.delivered()
    assert len(hook.events) == 2  # two attempts at the first; the second is not sent any more
    shown = (await call("GET", f"{SUBSCRIPTION}/{id_}")).json
    assert shown["status"] == "Blacklisted"
    assert set(shown["blacklistedData"]) == {"reason", "blacklistedAt"}


async def test_subscriptions_can_be_suspended_expired_and_blacklisted(
    call: Caller, hook: Hook
) -> None:
    webhooks = call.sandbox.webhooks
    ids = [(await subscribe(call, hook))["id"] for _ in range(3)]
    webhooks.blacklist(ids[0], "because")
    webhooks.suspend(ids[1])
    webhooks.expire(ids[2])
    assert [each.status for each in webhooks.subscriptions] == ["Blacklisted", "Suspended"]
    got = await call("GET", f"{SUBSCRIPTION}/{ids[0]}")
    assert got.json["blacklistedData"]["reason"] == "because"
    assert (await call("GET", f"{SUBSCRIPTION}/{ids[2]}")).status == 404
    for switch in (webhooks.blacklist, webhooks.suspend, webhooks.expire):
        with pytest.raises(UsageError, match="no subscription"):
            switch(ids[2])
    busy(call.sandbox)
    await webhooks.delivered()
    assert hook.events == []


async def test_an_expired_subscription_is_not_found(call: Caller, hook: Hook) -> None:
    id_ = (await subscribe(call, hook))["id"]
    call.sandbox.webhooks.subscriptions[0].expires_at = 0.0
    busy(call.sandbox)
    await call.sandbox.webhooks.delivered()
    assert hook.events == []
    assert (await call("GET", SUBSCRIPTION)).json["records"] == []
    assert (await call("GET", f"{SUBSCRIPTION}/{id_}")).status == 404
    assert call.sandbox.webhooks.subscriptions == ()


async def test_notifications_can_be_delivered_twice(call: Caller, hook: Hook) -> None:
    await subscribe(call, hook)
    rule = call.sandbox.webhooks.duplicate(2)
    for number in (1, 2, 3):
        busy(call.sandbox, number)
    await call.sandbox.webhooks.delivered()
    assert rule.fired == 2
    assert len(hook.events) == 5
    assert len({event["uuid"] for event in hook.events}) == 3


async def test_a_filter_without_permission_is_listed(call: Caller, hook: Hook) -> None:
    call.sandbox.forbid("ReadAccounts")
    mine = "/restapi/v1.0/account/~/extension/~/presence"
    made = await subscribe(call, hook, eventFilters=[FILTER, mine])
    assert [each["filter"] for each in made["disabledFilters"]] == [FILTER]
    assert len(made["eventFilters"]) == 1


async def test_a_fault_in_place_of_the_response_prevents_the_subscription(
    call: Caller, hook: Hook
) -> None:
    rule = call.sandbox.faults.add(Answer(503), path=SUBSCRIPTION)
    assert (await call("POST", SUBSCRIPTION, json=subscription_body(hook.url))).status == 503
    assert rule.fired == 1
    assert (hook.calls, call.sandbox.webhooks.subscriptions) == ([], ())


async def test_closing_ends_deliveries_in_progress(hook: Hook) -> None:
    before = asyncio.all_tasks()
    stuck, never = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        if await request.read():
            stuck.set()
            await never.wait()
        return await hook.serve(request)

    async with served(handler) as there:
        async with calling(Sandbox(extensions=20)) as call:
            await call("POST", SUBSCRIPTION, json=subscription_body(there.url))
            busy(call.sandbox)
            await stuck.wait()
        await call.sandbox.close()
        assert call.sandbox.webhooks.subscriptions == ()
        never.set()
    for _ in range(100):
        await asyncio.sleep(0)
    assert {t for t in asyncio.all_tasks() - before if "deliver" in repr(t)} == set()


async def test_closing_ends_a_handshake_in_progress() -> None:
    stuck, never = asyncio.Event(), asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        stuck.set()
        await never.wait()
        return web.Response()

    async with served(handler) as there, calling(Sandbox(extensions=20)) as call:
        asking = asyncio.ensure_future(
            call("POST", SUBSCRIPTION, json=subscription_body(there.url))
        )
        await stuck.wait()
        await call.sandbox.close()
        with suppress(Exception):
            await asking
        assert call.sandbox.webhooks.subscriptions == ()
        never.set()
