"""Subscriptions by webhook, against the sandbox: made, kept alive, made anew, ended."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from aiopresence import (
    InvalidRequest,
    PermissionDenied,
    PresenceError,
    PresenceEvent,
    Resync,
    ResyncReason,
    SubscriptionStatus,
    UsageError,
    filters,
)
from aiopresence.sandbox import Answer, Fault, Hang, Reset, Sandbox
from aiopresence.webhooks import WebhookSubscription
from tests.support.clocks import idle
from tests.support.sessions import PLENTY, Session
from tests.support.webhook_calls import TOKEN, Caller, Receiver, notification, served, until
from tests.test_secrets import disguises, everything_about

SUBSCRIPTION = "/restapi/v1.0/subscription"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def caller(receiver: Receiver) -> AsyncIterator[Caller]:
    async with served(receiver.handler) as caller:
        yield caller


def calls(sandbox: Sandbox, method: str, tail: str = "") -> int:
    """Count what the sandbox was asked about subscriptions."""
    return sum(
        each.method == method and each.path.startswith(SUBSCRIPTION) and each.path.endswith(tail)
        for each in sandbox.requests
    )


@pytest.mark.fault
async def test_a_change_arrives_and_leaving_ends_the_subscription(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller
) -> None:
    async with receiver.subscribe(session, caller.url) as subscription:
        assert subscription.info.status == SubscriptionStatus.ACTIVE
        assert subscription.disabled_filters == ()
        sandbox.set_presence(sandbox.user_ids[3], user_status="Busy")
        await sandbox.webhooks.delivered()
        await idle()
    [event] = receiver.seen
    assert isinstance(event, PresenceEvent)
    assert event.subscription_id == subscription.info.id
    assert sandbox.webhooks.subscriptions == ()
    assert calls(sandbox, "DELETE") == 1
    assert {d.status for d in sandbox.webhooks.deliveries} == {200}
    assert max(d.size for d in sandbox.webhooks.deliveries) < 512
    await subscription.wait_closed()


@pytest.mark.fault
async def test_a_notification_that_the_server_sends_twice_is_handled_once(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller
) -> None:
    rule = sandbox.webhooks.duplicate(None)
    sandbox.webhooks.secret_in("Validation-Token")
    async with receiver.subscribe(session, caller.url, [filters.account_presence(detailed=True)]):
        for id_ in sandbox.user_ids[:5]:
            sandbox.ring(id_)
        await sandbox.webhooks.delivered()
    await receiver.close()
    assert rule.fired == 5
    assert len(receiver.uuids) == len(set(receiver.uuids)) == 5


@pytest.mark.fault
@pytest.mark.parametrize("how", ["blacklist", "suspend", "expire"])
async def test_a_lost_subscription_is_noticed_within_5_minutes_and_created_again(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller, how: str
) -> None:
    async with receiver.subscribe(session, caller.url) as subscription:
        first = subscription.info.id or ""
        await receiver.clock.advance(299)
        assert calls(sandbox, "GET") == 0
        await receiver.clock.advance(1)
        await until(lambda: calls(sandbox, "GET") == 1)
        getattr(sandbox.webhooks, how)(first)
        sandbox.set_presence(sandbox.user_ids[3], user_status="Busy")  # nobody hears of it
        # It goes on when it has seen the answer.
        await until(lambda: _waits(receiver, subscription))
        await receiver.clock.advance(300)
        await until(lambda: receiver.seen)
        [resync] = receiver.seen
        # Nothing came since it was made, so nothing later is known to be complete.
        since = datetime.fromtimestamp(1e9, UTC)
        assert resync == Resync(ResyncReason.WEBHOOK_LOST, since)
        assert subscription.info.id != first
        assert [each.id for each in sandbox.webhooks.subscriptions] == [subscription.info.id]
        sandbox.set_presence(sandbox.user_ids[4], user_status="Busy")
        await sandbox.webhooks.delivered()
        await until(lambda: len(receiver.seen) == 2)
    assert sandbox.webhooks.subscriptions == ()


def _failed(subscription: WebhookSubscription, times: int) -> bool:
    return subscription._failures == times


def _waits(receiver: Receiver, subscription: WebhookSubscription) -> bool:
    return subscription._active_time == receiver.clock.wall()


async def test_a_subscription_is_renewed_before_it_expires(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller
) -> None:
    async with receiver.subscribe(session, caller.url, expires_in=200) as subscription:
        id_ = subscription.info.id
        for times in (1, 2, 3):
            await receiver.clock.advance(149)
            assert calls(sandbox, "POST", "/renew") == times - 1
            await receiver.clock.advance(1)
            await until(lambda: _waits(receiver, subscription))
            assert calls(sandbox, "POST", "/renew") == times
        assert subscription.info.id == id_
    assert receiver.seen == []


async def test_checks_do_not_delay_the_renewal(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller
) -> None:
    async with receiver.subscribe(session, caller.url, expires_in=timedelta(minutes=20)) as ours:
        for left in (900, 600):
            told = Answer(200, f'{{"status": "Active", "expiresIn": {left}}}'.encode())
            rule = sandbox.faults.add(told, path=SUBSCRIPTION, method="GET")
            await receiver.clock.advance(300)
            await until(lambda: _waits(receiver, ours))
            assert rule.fired == 1
        await receiver.clock.advance(300)
        await until(lambda: _waits(receiver, ours))
        assert calls(sandbox, "POST", "/renew") == 1


@pytest.mark.fault
@pytest.mark.parametrize(
    "told", ['"expiresIn": 0', '"expirationTime": "2001-09-09T01:46:39Z", "expiresIn": null']
)
async def test_a_subscription_that_reports_to_be_expired_is_created_again(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller, told: str
) -> None:
    async with receiver.subscribe(session, caller.url):
        rule = sandbox.faults.add(
            Answer(200, f'{{"status": "Active", {told}}}'.encode()), path=SUBSCRIPTION, method="GET"
        )
        await receiver.clock.advance(300)
        await until(lambda: receiver.seen)
        assert rule.fired == 1
        assert isinstance(receiver.seen[0], Resync)


@pytest.mark.parametrize("fault", [Answer(500, b"no"), Answer(503, b"no"), Reset(), Answer(200)])
async def test_a_transient_failure_is_retried(
    sandbox: Sandbox,
    session: Session,
    receiver: Receiver,
    caller: Caller,
    fault: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with receiver.subscribe(session, caller.url) as subscription:
        rule = sandbox.faults.add(fault, path=SUBSCRIPTION, method="GET", times=3)
        for times in (1, 2, 3):
            await receiver.clock.advance(300)
            await until(partial(_failed, subscription, times))
        await receiver.clock.advance(60)
        await until(lambda: subscription._failures == 0)
        assert rule.fired == 3
    assert "could not be checked" in caplog.text
    assert receiver.seen == []


async def test_creating_it_again_is_retried_until_it_works(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller
) -> None:
    async with receiver.subscribe(session, caller.url) as subscription:
        sandbox.webhooks.blacklist(subscription.info.id or "")
        refused = Answer(400, b'{"errorCode": "SUB-525", "message": "not reached"}')
        rules = [
            sandbox.faults.add(fault, path=SUBSCRIPTION, method="POST", times=1)
            for fault in (Answer(502), refused)
        ]
        for times in (1, 2):
            await receiver.clock.advance(300)
            await until(partial(_failed, subscription, times))
        assert receiver.seen == []
        await receiver.clock.advance(60)
        await until(lambda: receiver.seen)
        assert [rule.fired for rule in rules] == [1, 1]
        assert calls(sandbox, "DELETE") == 1
        assert len(sandbox.webhooks.subscriptions) == 1
    assert len(receiver.seen) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(403, "CMN-401", PermissionDenied), (400, "SUB-508", InvalidRequest)],
)
async def test_a_refusal_that_a_second_check_confirms_is_raised_by_wait_closed(
    sandbox: Sandbox,
    session: Session,
    receiver: Receiver,
    caller: Caller,
    status: int,
    code: str,
    kind: type[PresenceError],
) -> None:
    body = f'{{"errorCode": "{code}"}}'.encode()
    subscription = receiver.subscribe(session, caller.url)
    await subscription.__aenter__()
    rule = sandbox.faults.add(Answer(status, body), path=SUBSCRIPTION, method="POST", times=2)
    sandbox.webhooks.expire(subscription.info.id or "")
    await receiver.clock.advance(300)
    await until(partial(_failed, subscription, 1))
    await receiver.clock.advance(59)
    assert rule.fired == 1
    await receiver.clock.advance(1)
    with pytest.raises(kind):
        await subscription.wait_closed()
    with pytest.raises(kind):
        await subscription.__aexit__(None, None, None)
    with pytest.raises(kind):
        await subscription.wait_closed()


@pytest.mark.parametrize(
    "fault", [Answer(403), Answer(400), Answer(404), Answer.error(400, "SUB-505", "Too many")]
)
async def test_a_refusal_that_passes_within_a_minute_does_not_end_a_subscription(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller, fault: Answer
) -> None:
    async with receiver.subscribe(session, caller.url) as subscription:
        rule = sandbox.faults.add(fault, path=SUBSCRIPTION, method="POST")
        sandbox.webhooks.expire(subscription.info.id or "")
        await receiver.clock.advance(300)
        await until(lambda: rule.fired)
        await until(partial(_failed, subscription, 1))
        await receiver.clock.advance(60)
        await until(lambda: receiver.seen)


async def test_disabled_filters_are_reported_and_refused_when_all_are_disabled(
    sandbox: Sandbox,
    session: Session,
    receiver: Receiver,
    caller: Caller,
    caplog: pytest.LogCaptureFixture,
) -> None:
    both = [filters.account_presence(), filters.extension_presence()]
    sandbox.forbid("ReadAccounts")
    async with receiver.subscribe(session, caller.url, both) as subscription:
        [disabled] = subscription.disabled_filters
        assert "ReadAccounts" in (disabled.message or "")
        assert "disabled event filters" in caplog.text
    with pytest.raises(PermissionDenied):
        async with receiver.subscribe(session, caller.url):
            raise AssertionError("never")


async def test_when_all_filters_are_disabled_the_subscription_is_deleted_and_refused(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller
) -> None:
    accepted = b'{"id": "s-1", "disabledFilters": [{"filter": "f", "reason": "CMN-401"}]}'
    rule = sandbox.faults.add(Answer(200, accepted), path=SUBSCRIPTION, method="POST")
    with pytest.raises(PermissionDenied, match="CMN-401 every event filter is disabled"):
        await receiver.subscribe(session, caller.url).__aenter__()
    assert rule.fired == 1
    assert calls(sandbox, "DELETE", "/s-1") == 1


async def test_a_token_that_a_disabled_filter_repeats_is_not_logged(
    sandbox: Sandbox,
    session: Session,
    receiver: Receiver,
    caller: Caller,
    caplog: pytest.LogCaptureFixture,
) -> None:
    disabled = {"filter": TOKEN, "reason": TOKEN, "message": TOKEN}
    accepted = json.dumps({"id": "s-1", "disabledFilters": [disabled]}).encode()
    rule = sandbox.faults.add(Answer(200, accepted), path=SUBSCRIPTION, method="POST")
    both = [filters.account_presence(), filters.extension_presence()]
    async with receiver.subscribe(session, caller.url, both) as subscription:
        assert [each.message for each in subscription.disabled_filters] == ["***"]
    assert rule.fired == 1
    assert "disabled event filters: *** (***)" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("id_", [b"null", b'""', b'".."', b'"a/b"', b'"a\\u0000"', b"[]"])
async def test_a_response_without_a_valid_id_is_a_decode_error(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller, id_: bytes
) -> None:
    sandbox.faults.add(Answer(200, b'{"id": ' + id_ + b"}"), path=SUBSCRIPTION, method="POST")
    with pytest.raises(PresenceError, match=r"\$\.id: expected an id"):
        await receiver.subscribe(session, caller.url).__aenter__()


async def test_an_unreachable_address_is_reported_at_once(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        async with receiver.subscribe(session, caller.url + "/elsewhere"):
            raise AssertionError("never")
    assert raised.value.error_code == "SUB-525"
    assert sandbox.webhooks.deliveries[0].status == 404
    assert not receiver._subscriptions.expects_handshake


async def test_the_receiver_must_be_open_and_a_subscription_is_entered_once(
    session: Session, receiver: Receiver, caller: Caller
) -> None:
    with pytest.raises(UsageError, match="enter the receiver first"):
        await Receiver().subscribe(session, caller.url).__aenter__()
    subscription = receiver.subscribe(session, caller.url)
    with pytest.raises(UsageError, match="not subscribed"):
        _ = subscription.info
    async with subscription:
        with pytest.raises(UsageError, match="entered once"):
            await subscription.__aenter__()


def test_the_session_must_be_one() -> None:
    with pytest.raises(UsageError, match="session must be a PresenceSession"):
        Receiver().subscribe("https://example.com/", Session("token"))  # type: ignore[arg-type]


def test_the_address_must_be_https(session: Session) -> None:
    with pytest.raises(UsageError, match="address must be an https URL"):
        Receiver().subscribe(session, "http://example.com/hook")


@pytest.mark.parametrize(
    "wrong", ["/restapi/v1.0/x", [], [5], [[]], ["presence"], ["/restapi/a b"], 5]
)
def test_event_filters_must_not_be_empty(session: Session, wrong: Any) -> None:
    with pytest.raises(UsageError, match="event_filters must be"):
        Receiver().subscribe(session, "https://example.com/", wrong)


@pytest.mark.parametrize("wrong", [0, -1, "5", True, float("inf"), 2**31])
def test_the_lifetime_of_a_subscription_must_be_a_positive_number(
    session: Session, wrong: Any
) -> None:
    with pytest.raises(UsageError, match="expires_in must be"):
        Receiver().subscribe(session, "https://example.com/", expires_in=wrong)


async def test_a_subscription_may_be_requested_for_decades(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller
) -> None:
    years = timedelta(days=20 * 365)
    async with receiver.subscribe(session, caller.url, expires_in=years) as subscription:
        [made] = [r for r in sandbox.requests if r.method == "POST" and r.path == SUBSCRIPTION]
        assert json.loads(made.body)["expiresIn"] == years.total_seconds()
        mode = subscription.info.delivery_mode
        assert mode is not None
        assert (mode.transport_type, mode.address) == ("WebHook", caller.url)
        assert TOKEN not in repr(subscription.info)


@pytest.mark.parametrize("fault", [Answer(500), Hang(), Reset()])
async def test_a_failing_deletion_does_not_delay_leaving(
    sandbox: Sandbox,
    session: Session,
    receiver: Receiver,
    caller: Caller,
    fault: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rule = sandbox.faults.add(fault, path=SUBSCRIPTION, method="DELETE")
    subscription = receiver.subscribe(session, caller.url)
    subscription._delete_seconds = 0.2
    async with subscription:
        pass
    assert rule.fired == 1
    assert "not deleted" in caplog.text


@pytest.mark.fault
async def test_no_step_of_cancelling_leaves_a_task(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller
) -> None:
    await session.read_user_presence_status()  # logs in, and connects
    before = {each.get_name() for each in asyncio.all_tasks()}
    for steps in range(0, 60, 3):

        async def use() -> None:
            async with receiver.subscribe(session, caller.url) as subscription:
                await subscription.wait_closed()

        task = asyncio.create_task(use())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        names = {each.get_name() for each in asyncio.all_tasks()} - before
        assert not {name for name in names if name.startswith("aiopresence")}
    assert not receiver._subscriptions.expects_handshake


async def test_a_body_that_fails_keeps_its_own_error(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with receiver.subscribe(session, caller.url):
            raise ZeroDivisionError
    assert calls(sandbox, "DELETE") == 1


async def test_an_outage_of_the_receiver_is_covered_by_a_resync(
    sandbox: Sandbox, session: Session
) -> None:
    """The whole way: failures, blacklisting by the server, a Resync, and events again."""
    sandbox.webhooks.attempts, sandbox.webhooks.retry_seconds = 2, 0.0
    go = asyncio.Event()

    class Stuck(Receiver):
        async def take(self, event: PresenceEvent | Resync) -> None:
            await go.wait()
            await super().take(event)

    async with (
        Stuck(queue_size=1) as receiver,
        served(receiver.handler) as caller,
        receiver.subscribe(session, caller.url) as subscription,
    ):
        for id_ in sandbox.user_ids[:4]:
            sandbox.set_presence(id_, user_status="Busy")
        await sandbox.webhooks.delivered()
        assert sandbox.webhooks.subscriptions[0].status == "Blacklisted"
        assert [d.status for d in sandbox.webhooks.deliveries] == [200, 200, 200, 503, 503]
        await receiver.clock.advance(300)
        await until(lambda: len(receiver._queue) == 2)
        go.set()
        await until(lambda: len(receiver.seen) == 3)
        assert isinstance(receiver.seen[-1], Resync)
        assert subscription.info.status == SubscriptionStatus.ACTIVE


def order(sandbox: Sandbox, kind: int | str) -> Callable[[], int]:
    """Let subscribing fail, with an answer that repeats the secret; out of any traceback.

    Returns:
        How often it has.
    """
    said = f"you said {TOKEN} {'x' * 300}"
    told = {"errorCode": TOKEN, "message": said, "parameterName": TOKEN, "id": f"../{TOKEN}"}
    fault: Fault = Reset() if kind == "reset" else Answer(int(kind), json.dumps(told).encode())
    rule = sandbox.faults.add(fault, path=SUBSCRIPTION, method="POST", times=None)
    return lambda: rule.fired


@pytest.mark.fault
@pytest.mark.parametrize("kind", [200, 400, 401, 403, 404, 429, 500, 503, "reset"])
async def test_no_error_shows_the_token(
    sandbox: Sandbox,
    session: Session,
    receiver: Receiver,
    caller: Caller,
    kind: int | str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    fired = order(sandbox, kind)
    with pytest.raises(PresenceError) as raised:
        await receiver.subscribe(session, caller.url).__aenter__()
    assert fired()
    await caller.post(notification(), token=TOKEN + "x")
    shown = caplog.text + "".join(capfd.readouterr()) + "".join(everything_about(raised.value))
    assert [each for each in disguises(TOKEN) if each in shown] == []


async def test_no_error_shows_the_token_in_disguise_either(
    sandbox: Sandbox, session: Session, receiver: Receiver, caller: Caller
) -> None:
    encoded = "".join(f"%{ord(character):02x}" for character in TOKEN)
    body = json.dumps({"errorCode": "SUB-521", "message": f"{'x' * 240} {encoded}"}).encode()
    sandbox.faults.add(Answer(400, body), path=SUBSCRIPTION, method="POST")
    with pytest.raises(InvalidRequest) as raised:
        await receiver.subscribe(session, caller.url).__aenter__()
    assert (raised.value.error_code, raised.value.message) == ("SUB-521", "***")
    assert encoded[:10] not in f"{raised.value} {vars(raised.value)}"


async def test_many_processes_share_a_subscription(sandbox: Sandbox, session: Session) -> None:
    """One subscribes; the other, which has the same secret, receives."""
    async with (
        Receiver() as subscribing,
        Receiver() as receiving,
        served(receiving.handler) as caller,
    ):
        with pytest.raises(InvalidRequest):
            await subscribing.subscribe(session, caller.url).__aenter__()
        receiving.expect_handshake(None)
        async with subscribing.subscribe(session, caller.url):
            sandbox.set_presence(sandbox.user_ids[3], user_status="Busy")
            await sandbox.webhooks.delivered()
            await until(lambda: receiving.seen)
    assert subscribing.seen == []


async def test_closing_the_session_ends_the_subscription(
    sandbox: Sandbox, receiver: Receiver, caller: Caller
) -> None:
    async with Session(sandbox.grant, server=sandbox.url, limits=PLENTY) as session:
        subscription = receiver.subscribe(session, caller.url)
        await subscription.__aenter__()
        await session.close()
        await receiver.clock.advance(300)
        with pytest.raises(UsageError):
            await subscription.wait_closed()
        with pytest.raises(UsageError):
            await subscription.__aexit__(None, None, None)
