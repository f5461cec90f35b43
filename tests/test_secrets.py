"""No secret in any output: every error that the sandbox can make, with everything captured."""

import asyncio
import base64
import copy
import io
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import attrs
import pytest

from aiopresence import (
    AccessToken,
    AuthorizationCodeGrant,
    DecodeError,
    FileTokenStore,
    JwtGrant,
    PresenceError,
    RateLimited,
    RefreshTokenGrant,
    SessionHooks,
)
from aiopresence.sandbox import Answer, Change, Hang, Raw, Redirect, Reset, Sandbox, Truncate
from tests.support.sessions import PLENTY, Session
from tests.support.virtual import run, virtual_sandbox, virtual_session


class Recorder(SessionHooks):
    """Keeps what each hook is called with, as an error tracker or a debugger would show it."""

    def __init__(self, shown: list[str]) -> None:
        for name in (name for name in vars(SessionHooks) if name.startswith("on_")):
            setattr(self, name, lambda argument: shown.extend(_of_hook(argument)))


def _of_hook(argument: Any) -> Iterator[str]:
    yield f"{argument!r} {attrs.astuple(argument)!r} {getattr(argument, 'path', '')}"
    error = getattr(argument, "error", None)
    if error is not None:
        yield from everything_about(error)


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Log everything: no test of this module may find a secret in it."""
    caplog.set_level(logging.DEBUG)
    return caplog


def disguises(secret: str) -> set[str]:
    data = secret.encode()
    return {
        secret,
        secret[::-1],
        quote(secret, safe=""),
        data.hex(),
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
        json.dumps(secret)[1:-1],
    }


def everything_about(error: BaseException) -> Iterator[str]:
    """Give all that a log, a debugger or an error tracker would show of an exception."""
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        error_ = queue.pop()
        if error_ is None or id(error_) in seen:
            continue
        seen.add(id(error_))
        queue += [error_.__cause__, error_.__context__, *getattr(error_, "exceptions", ())]
        yield f"{error_} {error_!r} {error_.args!r} {vars(error_)!r}"
        yield repr(getattr(error_, "__notes__", ""))
        report = traceback.TracebackException.from_exception(error_, capture_locals=True)
        yield "".join(report.format())


def echo_everything(sandbox: Sandbox) -> bytes:
    """An answer that repeats all that the request held."""
    last = sandbox.requests[-1]
    said = f"{dict(last.headers)} {last.body.decode()} {last.token}"
    return json.dumps({"errorCode": "CMN-101", "message": said, "said": said}).encode()


FAULTS: list[Any] = [
    *(Answer(status, b"<html>no</html>") for status in (400, 401, 403, 404, 408, 429, 500, 503)),
    Answer(200, b"garbage"),
    Answer(200, b'{"access_token": 5}'),
    Reset(),
    Reset(after_handling=True),
    Raw(b"garbage\r\n\r\n"),
    Truncate(10),
    Redirect("https://evil.example/"),
    Redirect("/restapi/v1.0/account/~/extension/~/presence"),
    Hang(),
]


async def shown_by(session: Session, ids: tuple[str, ...]) -> list[str]:
    """Call a session in every way and give all that is shown of it."""
    shown: list[str] = []

    async def read_many() -> None:
        result = await session.read_user_presence_statuses(ids)
        shown.append(repr(list(result)))
        result.raise_for_errors()

    for call in (
        session.read_user_presence_status(),
        session.update_user_presence_status({"message": "x"}),
        session.request("GET", "/restapi/v1.0/account/~/presence"),
        read_many(),
    ):
        try:
            await call
        except PresenceError as error:
            shown += everything_about(error)
    return [*shown, repr([session, vars(session), session.stats])]


def secrets_of(sandbox: Sandbox, directory: Path) -> set[str]:
    pair = f"{sandbox.client_id}:{sandbox.client_secret}"
    secrets = {sandbox.client_secret, sandbox.jwt, base64.b64encode(pair.encode()).decode()}
    secrets |= {str(r.token) for r in sandbox.requests if r.token}
    for file in directory.glob("*.json"):
        for token in json.loads(file.read_text()).values():
            secrets |= {token["access_token"], token["refresh_token"]}
    return secrets


@pytest.mark.fault
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("path", ["/presence", "/oauth/token", "/ws"])
async def test_no_secret_in_the_traceback_of_a_cancellation(path: str, turns: int) -> None:
    async with Sandbox(limits=PLENTY) as sandbox:
        rule = sandbox.faults.add(Hang(), path=path, times=None)

        async def work() -> None:
            async with Session(sandbox.grant, server=sandbox.url) as session:
                if path == "/ws":
                    async with session.board() as board:
                        await board.wait_ready()
                await session.read_user_presence_status()

        task = asyncio.create_task(work())
        while not rule.fired:
            await asyncio.sleep(0)
        task.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()  # While the session closes.
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        text = "".join(everything_about(caught.value))
        secrets = secrets_of(sandbox, Path(__file__).parent)
    assert sandbox.jwt in secrets
    for secret in secrets:
        assert not any(disguise in text for disguise in disguises(secret))


@pytest.mark.fault
@pytest.mark.parametrize("path", ["/presence", "/oauth/token"])
async def test_no_secret_in_any_output(
    path: str,
    log: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    shown: list[str] = []
    async with Sandbox(limits=PLENTY) as sandbox:
        echoes = [
            Change(lambda _: echo_everything(sandbox), status=n) for n in (400, 401, 403, 500)
        ]
        for number, fault in enumerate([*FAULTS, *echoes]):
            store = FileTokenStore(tmp_path / f"{number}.json")
            shown.append(repr([store, sandbox.grant]))
            async with Session(
                sandbox.grant,
                server=sandbox.url,
                timeout=0.05,
                token_store=store,
                hooks=Recorder(shown),
            ) as session:
                if path == "/presence":
                    await session.read_user_presence_status()
                rule = sandbox.faults.add(fault, path=path, times=None)
                shown += await shown_by(session, sandbox.extension_ids[:3])
                assert rule.fired > 0
                sandbox.faults.clear()
        secrets = secrets_of(sandbox, tmp_path)
    printed = capsys.readouterr()
    text = "\n".join([*shown, log.text, printed.out, printed.err])
    assert len(secrets) >= 3
    assert len(text) > 10_000
    for secret in secrets:
        for disguise in disguises(secret):
            assert disguise not in text


async def everything_raised_by(session: Session) -> str:
    text = ""
    for call in (
        session.read_user_presence_status,
        lambda: session.request("GET", "/restapi/v1.0/account/~/presence"),
    ):
        with pytest.raises(PresenceError) as caught:
            await call()
        text += "".join(everything_about(caught.value))
    return text


@pytest.mark.fault
@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/restapi/{}",
        "/restapi/../{}",
        "/restapi/v1.0/{}",
        "/restapi/v1.0/account/~/presence?access_token={}&{}=1",
        "/restapi/v1.0/account/~/extension/~/presence?x={}%\udcff",
        "//127.0.0.1:99999/{}",
        "http://[{}",
        "{}",
    ],
)
async def test_a_secret_in_the_location_of_a_redirect_is_not_shown(
    sandbox: Sandbox, location: str, log: pytest.LogCaptureFixture
) -> None:
    canary = "Canary7SecretOfTheServer"
    line = location.format(canary, canary).encode("utf-8", "surrogateescape")
    data = b"HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n" % line
    shown: list[str] = []
    hooks = Recorder(shown)
    async with Session(sandbox.grant, server=sandbox.url, max_wait=0, hooks=hooks) as session:
        await session.read_user_presence_status()
        rule = sandbox.faults.add(Raw(data), path="/presence", times=4)
        end = sandbox.faults.add(Answer(403), path="/restapi/", times=None)
        text = await everything_raised_by(session)
        assert rule.fired >= 1
        assert end.fired + rule.fired >= 2
        assert canary not in text
        assert canary not in log.text
        assert canary not in "\n".join(shown)
        assert "HTTP 302" in log.text
        assert len(shown) >= 4


def test_the_search_finds_what_is_there() -> None:
    error = ValueError("outer")
    error.__context__ = RuntimeError("canary")
    assert "canary" in "".join(everything_about(error))

    def fail() -> None:
        local = "canary"
        raise ValueError(len(local))

    with pytest.raises(ValueError, match="6") as caught:
        fail()
    assert "canary" in "".join(everything_about(caught.value))


@pytest.mark.fault
@pytest.mark.parametrize(
    "grant",
    [
        AccessToken("canary"),
        JwtGrant("id", "canary", "canary"),
        RefreshTokenGrant("id", "canary", "canary"),
        AuthorizationCodeGrant("id", "canary", "canary", "https://app.example", "canary"),
    ],
)
def test_grants_are_shown_without_their_secrets(grant: Any) -> None:
    stream = io.StringIO()
    print(grant, repr(grant), attrs.asdict(grant), copy.deepcopy(grant), file=stream)
    assert "canary" not in stream.getvalue()
    assert pickle.loads(pickle.dumps(grant)) == grant  # noqa: S301 - whoever pickles wants it all


async def test_a_token_that_is_a_word_of_the_response_changes_nothing_of_it() -> None:
    """The token is looked for in what is shown only: each of these is a part of good responses."""
    for token in ("presenceStatus", "Available", "extension", "application/json", "response"):
        async with Sandbox(limits=PLENTY) as sandbox:
            ids = sandbox.extension_ids[:3]

            def issue(body: bytes, token: str = token) -> bytes:
                return json.dumps({**json.loads(body), "access_token": token}).encode()

            rule = sandbox.faults.add(Change(issue), path="/oauth/token", times=None)
            sandbox._state.oauth.logins.check = lambda *_: None  # type: ignore[method-assign]
            async with Session(sandbox.grant, server=sandbox.url) as session:
                for _ in range(2):
                    record = await session.read_user_presence_status()
                    assert record.extension is not None
                    assert record.extension.id == sandbox.extension_ids[0]
                    result = await session.read_user_presence_statuses(ids)
                    assert [outcome.ok for outcome in result] == [True] * 3
                    assert [r.presence_status is not None for r in result.values.values()]
                    page = await session.read_account_presence()
                    assert page.records is not None
                    session.clock.skipped += 3600.0
            assert rule.fired == 2


BROKEN = [
    lambda text: b'{"extension": {"id": 5}, "message": 5, "uri": "%b"}' % text,
    lambda text: b'[{"resourceId": "1", "status": 200, "body": {"message": "%b"}}]' % text,
    lambda text: b"not JSON %b" % text,
    lambda text: b'{"records": [{"message": 5, "uri": "%b"}]}' % text,
]


@pytest.mark.parametrize("broken", BROKEN)
async def test_no_traceback_shows_a_token_in_a_response_that_cannot_be_decoded(
    sandbox: Sandbox, broken: Any, log: pytest.LogCaptureFixture
) -> None:
    shown: list[str] = []
    async with Session(sandbox.grant, server=sandbox.url, hooks=Recorder(shown)) as session:
        await session.read_user_presence_status()

        def echo(_: bytes) -> bytes:
            return bytes(broken(str(sandbox.requests[-1].token).encode()))

        rule = sandbox.faults.add(Change(echo, status=200), path="presence", times=None)
        shown += await shown_by(session, sandbox.extension_ids[:3])
        for call in (session.read_account_presence(), session.read_unified_presence()):
            try:
                await call
            except DecodeError as error:
                shown += everything_about(error)
        assert rule.fired >= 5
        token = str(sandbox.requests[-1].token)
    assert token not in "\n".join([*shown, log.text])


async def test_an_answer_that_is_dumped_has_no_token(
    sandbox: Sandbox, log: pytest.LogCaptureFixture
) -> None:
    async with Session(sandbox.grant, server=sandbox.url) as session:
        await session.read_user_presence_status()
        sandbox.faults.add(Change(lambda _: echo_everything(sandbox), status=200), times=1)
        response = await session.request("GET", "/restapi/v1.0/account/~/extension/~/presence")
        token = await session._requester._authorized._tokens.get(
            session._requester._authorized._login_sender
        )
    assert token not in json.dumps(attrs.asdict(response), default=repr)
    assert token not in log.text


async def test_refresh_tokens_that_the_server_repeats_are_not_shown(
    sandbox: Sandbox, log: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    store, issued = FileTokenStore(tmp_path / "tokens.json"), list[str]()

    async def read_and_be_told(session: Session) -> None:
        await session.read_user_presence_status()
        [token] = json.loads((tmp_path / "tokens.json").read_text()).values()
        issued.append(token["refresh_token"])
        body = json.dumps({"errorCode": "CMN-101", "message": f"said {' '.join(issued)}"})
        sandbox.faults.add(Answer(400, body.encode()), times=1)
        with pytest.raises(PresenceError) as caught:
            await session.read_user_presence_status()
        assert " said " + " ".join(["***"] * len(issued)) in str(caught.value)

    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        await read_and_be_told(session)
    # It finds the login in the store, and renews it.
    async with Session(sandbox.grant, server=sandbox.url, token_store=store) as session:
        sandbox.faults.add(Answer(401, b'{"errorCode": "TokenExpired"}'), times=1)
        await read_and_be_told(session)
    assert len({*issued}) == 2
    assert not [token for token in issued if token in log.text]


@pytest.mark.fault
def test_no_secret_of_an_event_session_is_logged_or_passed_to_hooks(
    log: pytest.LogCaptureFixture,
) -> None:
    shown: list[str] = []

    async def story() -> set[str]:
        async with (
            virtual_sandbox() as sandbox,
            virtual_session(sandbox, hooks=Recorder(shown)) as session,
            session.board(sandbox.extension_ids[:3]) as board,
        ):
            await board.wait_ready()
            sandbox.set_presence(sandbox.user_ids[0], user_status="Busy")
            await asyncio.sleep(10.0)
            sandbox.expire_tokens()
            sandbox.gateway.fail_recovery(None)
            for _ in range(3):
                sandbox.gateway.cut()
                await asyncio.sleep(30.0)
            connections = [parse_qs(r.query) for r in sandbox.requests if r.path == "/ws"]
            return {str(r.token) for r in sandbox.requests if r.token} | {
                value for query in connections for values in query.values() for value in values
            }

    secrets = {secret for secret in run(story) if len(secret) > 8}
    assert len(secrets) >= 3
    text = "\n".join([*shown, log.text])
    assert "ConnectionChanged" in text
    assert "connected for events" in text
    for secret in secrets:
        for disguise in disguises(secret):
            assert disguise not in text


async def test_a_group_name_that_repeats_a_credential_is_not_shown(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The client secret is sent only to the token endpoint; a proxy may repeat it anywhere."""
    caplog.set_level("DEBUG")
    grant = sandbox.grant
    values = [grant.client_secret, grant.jwt]
    values.append(base64.b64encode(f"{grant.client_id}:{grant.client_secret}".encode()).decode())
    for value in values:
        headers = {"X-Rate-Limit-Group": value}
        rule = sandbox.faults.add(Answer(429, headers=headers), path="/presence")
        async with Session(grant, server=sandbox.url, attempts=1) as session:
            with pytest.raises(RateLimited) as raised:
                await session.read_user_presence_status()
            shown = f"{raised.value} {raised.value.group} {session.limits} {caplog.text}"
        assert rule.fired == 1
        assert value.lower() not in shown.lower()
