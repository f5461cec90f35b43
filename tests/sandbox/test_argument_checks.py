"""Invalid arguments of the sandbox: each raises a UsageError that names it, and changes nothing."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from aiopresence import UsageError
from aiopresence.sandbox import (
    Answer,
    Change,
    Delay,
    Drip,
    GatewayPlan,
    Gzip,
    Raw,
    Redirect,
    Reset,
    Sandbox,
    Truncate,
)
from tests.support.sandbox_socket import gateway_client

NAN, INF = float("nan"), float("inf")
NO_TIME = (-1, NAN, INF, 10**400, True, "1", None)
NO_NUMBER = (-1, 1.5, True, "1", None, 10**400)
NO_FLAG = (0, 1, "yes", None)
NO_TEXT = (5, b"x", "\ud800", None)


def each(name: str, *values: object) -> list[tuple[str, object]]:
    return [(name, value) for value in values]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *each("extensions", 0, *NO_NUMBER, 10**9),
        *each("seed", 1.5, True, "1", None),
        *each("host", *NO_TEXT, ""),
        *each("port", *NO_NUMBER, 65_536),
        *each("line_ending", "", "x", "\n\r", 5, None),
        *each("latency", *NO_TIME),
        *each("batch_limit", 0, *NO_NUMBER),
        *each("page_limit", 0, *NO_NUMBER),
        *each("window", 0, *NO_TIME),
        *each("limits", 5, "Light", [("Light", 1)], {"Light": 0}, {"Light": 1.5}),
        *each("limits", {"Light": True}, {"Light": None}, {"light": 1}, {5: 1}),
        *each("penalty", *(value for value in NO_TIME if value is not None)),
        *each("token_lifetime", 0, *NO_TIME),
        *each("gateway", {}, 5, GatewayPlan),
        *each("clock", 5, None),
        *(
            (name, value)
            for name in (
                "hrefs", "paging_totals", "rate_headers", "retry_after", "html_429",
                "refresh_tokens",
            )
            for value in NO_FLAG
        ),
    ],
)  # fmt: skip
def test_a_wrong_argument_of_the_sandbox_is_named(name: str, value: object) -> None:
    with pytest.raises(UsageError, match="limit" if name == "limits" else name[:-1]) as caught:
        Sandbox(**{name: value})  # type: ignore[arg-type]
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *each("recovery_timeout", 0, *NO_TIME),
        *each("wstoken_lifetime", 0, *NO_TIME),
        *each("replay_delay", *NO_TIME),
        *each("recovery_buffer_size", *NO_NUMBER),
        *each("max_connections", *NO_NUMBER),
        *each("wsc_everywhere", *NO_FLAG),
        *each("wstoken_single_use", *NO_FLAG),
    ],
)
def test_a_wrong_argument_of_a_gateway_plan_is_named(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=name):
        GatewayPlan(**{name: value})  # type: ignore[arg-type]


def test_values_at_the_limits_are_accepted() -> None:
    edges: tuple[dict[str, Any], ...] = (
        {"seed": -1}, {"latency": 0}, {"penalty": None}, {"penalty": 0}, {"window": 0.001},
        {"limits": {}}, {"limits": {"Auth": 1}}, {"line_ending": "\r"}, {"port": 65_535},
        {"gateway": GatewayPlan(replay_delay=0, recovery_buffer_size=0)},
    )  # fmt: skip
    for options in edges:
        Sandbox(1, **options)


@pytest.mark.parametrize(
    "make",
    [
        *(lambda v=v: Delay(v) for v in NO_TIME),
        *(lambda v=v: Drip(v) for v in NO_TIME),
        *(lambda v=v: Truncate(v) for v in NO_NUMBER),
        *(lambda v=v: Gzip(v) for v in NO_NUMBER),
        *(lambda v=v: Answer(v) for v in (*NO_NUMBER, 99, 1000)),
        *(lambda v=v: Answer(200, v) for v in ("text", None, 5)),
        *(lambda v=v: Answer(200, b"", v) for v in (5, None, ["ab"], {"a": 1}, {1: "a"}, ["a", 1])),
        *(lambda v=v: Answer.error(400, v) for v in NO_TEXT),
        *(lambda v=v: Answer.error(400, "CMN-101", v) for v in NO_TEXT),
        *(lambda v=v: Raw(v) for v in ("text", None)),
        *(lambda v=v: Redirect(v) for v in NO_TEXT),
        *(lambda v=v: Reset(v) for v in NO_FLAG),
        *(lambda v=v: Change(v) for v in (5, b"x")),
        lambda: Change(headers={"a": 1}),  # type: ignore[dict-item]
        lambda: Change(status=5),
    ],
)
def test_invalid_arguments_of_faults_are_usage_errors(make: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        make()


async def test_invalid_arguments_of_the_controls_change_nothing() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        sandbox: Any = it.sandbox
        gateway, webhooks, before = sandbox.gateway, sandbox.webhooks, sandbox.presence("~")
        calls: list[Callable[[], object]] = [
            lambda: sandbox.faults.add(503),
            lambda: sandbox.faults.add(Answer),
            lambda: sandbox.faults.add(Answer(503), path=None),
            lambda: sandbox.faults.add(Answer(503), method=5),
            lambda: sandbox.faults.add(Answer(503), times=-1),
            lambda: sandbox.faults.add(Answer(503), skip=1.5),
            lambda: sandbox.faults.add(Answer(503), when="GET"),
            lambda: sandbox.set_presence(5, message="x"),
            lambda: sandbox.set_presence(["~"], message="x"),
            lambda: sandbox.set_presence("~", message="\ud800"),
            lambda: sandbox.set_presence("~", message=None),
            lambda: sandbox.set_presence("~", user_status=["Busy"]),
            lambda: sandbox.set_presence("~", active_calls=[{"telephonyStatus": ["x"]}]),
            *(
                lambda extra=extra: sandbox.set_presence(
                    "~", active_calls=[{"telephonyStatus": "Ringing", "from": extra}]
                )
                for extra in ("\ud800", NAN, object(), b"x", {"a": [INF]})
            ),
            lambda: sandbox.ring("~", from_=5),
            lambda: sandbox.ring("~", from_="\ud800"),
            lambda: sandbox.presence("~", detailed="yes"),
            lambda: sandbox.presence(None),
            lambda: sandbox.consume(["Light"]),
            lambda: sandbox.consume("Light", 1.5),
            lambda: sandbox.new_code(None),
            lambda: sandbox.new_code("http://localhost/", 5),
            lambda: sandbox.forbid(["ReadPresence"]),
            lambda: sandbox.simulate("1"),
            lambda: sandbox.simulate(NAN),
            lambda: sandbox.simulate(10**400),
            lambda: gateway.cut(-1),
            lambda: gateway.cut(times=1.5),
            lambda: gateway.close(5),
            lambda: gateway.close("x"),
            lambda: gateway.drop(times=-1),
            lambda: gateway.duplicate(skip="1"),
            lambda: gateway.delay(1, -1),
            lambda: gateway.delay(1, None),
            lambda: gateway.reorder(True),
            lambda: gateway.fail_recovery("1"),
            lambda: gateway.refuse_subscription("403", "SUB-505"),
            lambda: gateway.refuse_subscription(403, None),
            lambda: gateway.late_answer(NAN),
            lambda: gateway.late_details("1"),
            lambda: gateway.replace("text"),
            lambda: gateway.inject(5),
            lambda: gateway.error("WSG-1", "\ud800"),
            lambda: gateway.restart_sequences("0"),
            lambda: webhooks.blacklist(["x"]),
            lambda: webhooks.secret_in("X-Token"),
            lambda: webhooks.duplicate(-1),
            lambda: setattr(webhooks, "attempts", 0),
            lambda: setattr(webhooks, "retry_seconds", -1),
            lambda: setattr(webhooks, "timeout", 0),
        ]
        for call in calls:
            with pytest.raises(UsageError):
                call()
        assert sandbox.presence("~") == before
        it.change()
        assert (await socket.get())[0]["type"] == "ServerNotification"
        assert (await it.call.get("extension/~/presence")).status == 200


async def test_an_injected_frame_may_be_invalid() -> None:
    async with gateway_client() as it:
        socket, _ = await it.subscribed()
        rule = it.sandbox.gateway.inject("\ud800")
        assert rule.fired == 1
        assert (await socket.end()).type is aiohttp.WSMsgType.ERROR
