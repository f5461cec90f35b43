"""Control characters in text of a server are escaped, by every command and in every format."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import attrs
import pytest

from aiopresence.cli.app import app
from aiopresence.sandbox import Answer, Change, Fault, Raw, Sandbox
from tests.support.cli_calls import credentials
from tests.support.hostile_driver import MARK, SHOWN
from tests.support.sessions import PLENTY
from tests.support.terminal import Terminal, environment

SUPPORT = Path(__file__).parents[1] / "support"
# Ordinary text that must stay: an ideographic space, NBSP, U+202F, Persian with ZWNJ, a family.
KEPT = "山\u3000田 a\xa0b\u202fc می\u200cخواهم 👩\u200d👧"  # noqa: RUF001
STEERS = (
    "\x1b[7777m\x1b]52;c;aGk=\x07\x1b]0;title\x1b\\\x1bc\x1b[>c\x9b2J\x9d0;t\x9c\x90q"
    "\x00\x01\x05\x08\x08\x0b\x0c\x0e\x0f\x18\x7f\r\n\ttab\rcr\nlf\u2028ls\u2029ps\x85nel"
    "\u202eoverride\u202d\u2066isolate\u2069\u200e\u200f\u061c\u200b\u2060\ufeff\xad"
)
# The other C0 and C1 control characters.
STEERS += "".join(chr(c) for c in (*range(0x20), *range(0x80, 0xA0)) if chr(c) not in STEERS)
HOSTILE = f"{SHOWN} {STEERS} {KEPT} [red]{{x}}%s"
LONG = "x" * 100_000
FORBIDDEN = frozenset(STEERS) - frozenset(" !:;<=>[]\\") - {c for c in STEERS if c.isalnum()}
# The escape sequences of colors, cursor and screen; no others are allowed.
OURS = re.compile(
    r"\x1b\[(?:[0-9]{1,3}(?:;[0-9]{1,3})*)?m|\x1b\[\?(?:25|1049)[hl]|\x1b\[[0-9]{0,3}[AKH]|\r(?=\n|\x1b)"
)
CODES = (0, 1, 2, 143)
ENDED = re.compile(f"{MARK} ([0-9]+)\n")
SEAM = "\n@@errors@@\n"
# The fields of responses and events with free text, or with enum values.
TEXTS = re.compile(
    r'("(?:name|message|extensionNumber|(?:presence|telephony|user|meeting|dnd)Status'
    r'|glipStatus|availability|visibility|from|to|fromName|toName|direction|event)":\s*)"[^"]*"'
)

# Arguments for each command; it is called with each of its formats.
CALLS: Mapping[str, Sequence[str]] = {
    "read": ("~", "ME", "OTHER", "--names", "--detailed"),
    "watch": ("--detailed",),
    "serve": ("--host", "a\x1b]52;c;aGk=\x07\x9b2J\u202e"),
    "events": ("account", "--count", "3"),
    "poll": ("--count", "2"),
    "account": ("--names",),
    "unified": ("~", "OTHER"),
    "queue": ("QUEUE",),
    "queues": (),
    "set": ("--status", "Busy"),
    "queue-set": ("QUEUE", "MEMBER", "--accept"),
    "unified-set": ("--glip-availability", "DND"),
    "limits": (),
    "follow": ("--redis", "redis://127.0.0.1:1", "--accounts", "a\x1b]0;t\x07\u202e"),
    "fleet": ("--redis", "redis://a\x1b]0;t\x07\u202e:1"),
    "login": (),
    "whoami": (),
    "doctor": (),
    "sandbox": ("--extensions", "Hostile\x1b]52;c;aGk=\x07\x9b2J\u202e"),
    "logout": (),
}

# Those of them whose arguments are wrong, and doctor, which finds something.
WRONG = ("sandbox", "serve", "doctor", "follow", "fleet")


def calls(sandbox: Sandbox, only: Container[str], few: bool) -> list[list[str]]:
    """Return calls of commands: each in every format, or `few`, in the first format only."""
    queue = sandbox.queue_ids[0]
    member = next(iter(sandbox._state.account.queues[queue].members))
    me, other, *_ = sandbox.extension_ids
    words = {"QUEUE": queue, "MEMBER": member, "ME": me, "OTHER": other}
    commands = {str(each.name): each.callback for each in app.registered_commands}
    assert commands.keys() == CALLS.keys(), "a new command needs a call here"
    found = []
    for name in CALLS:
        if name in only:
            call = [name, *(words.get(each, each) for each in CALLS[name])]
            options = get_type_hints(commands[name])
            forms = [[*call, *form] for form in _forms(options.get("output", NoneType))]
            drift = [[*call, "--drift"]] if "drift" in options else []
            found += [*forms[:1], *drift] if few else [*forms, *drift]
    return found


def _forms(option: Any) -> Iterator[list[str]]:
    is_stream = NoneType in get_args(option)
    for kind in get_args(option) or (option,):
        if kind is NoneType:
            yield []
        else:
            yield from (["--output", form] for form in kind if form.is_incremental or not is_stream)


def hostile() -> Callable[[str], str]:
    """Return a function that puts hostile text, different each time, into a JSON response."""
    numbers = count(1)

    def one(found: re.Match[str]) -> str:
        number = next(numbers)
        return found[1] + json.dumps(f"{HOSTILE}{number}{LONG if number == 1 else ''}")

    def change(text: str) -> str:
        return TEXTS.sub(one, text)

    return change


def clean(text: str) -> None:
    """Check that text contains no control characters but those of this command."""
    for line in OURS.sub("", text).split("\n"):
        assert not FORBIDDEN & {*line}, ascii(line[:2000])


@attrs.frozen
class Ran:
    """A command, its exit code, and its output."""

    call: Sequence[str]
    code: int
    text: str

    @property
    def shows(self) -> bool:
        return SHOWN in self.text


def drive(
    sandbox: Sandbox,
    home: Path,
    where: str,
    *,
    speed: float = 1.0,
    only: Container[str] = tuple(CALLS),
    few: bool = False,
    coding: str = "",
) -> list[Ran]:
    """Run commands in a process, in a terminal or with pipes."""
    every = calls(sandbox, only, few)
    limited = {"PYTHONIOENCODING": coding} if coding else {}
    more = environment(home, **credentials(sandbox), **limited)
    command = [sys.executable, str(SUPPORT / "hostile_driver.py"), str(speed), json.dumps(every)]
    if where == "terminal":
        with Plain(env=more, command=command, size=(3000, 50)) as terminal:
            assert terminal.end(40) == 0, terminal.raw[-3000:]
            text = terminal.raw.decode(errors="replace").replace("\r\n", "\n")
    else:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command, capture_output=True, timeout=40, env=more, check=True
        )
        text = _together(*(s.decode(coding or "utf-8") for s in (done.stdout, done.stderr)))
    assert "Traceback" not in text, text[text.index("Traceback") :][:3000]
    parts = ENDED.split(text)[:-1]
    assert len(parts) == 2 * len(every), parts[-1][-2000:]
    return [
        Ran(call, int(code), written)
        for call, written, code in zip(every, parts[::2], parts[1::2], strict=True)
    ]


def _together(out: str, err: str) -> str:
    outs, errs = ENDED.split(out), ENDED.split(err)
    assert outs[1::2] == errs[1::2]
    return "".join(
        f"{o}{SEAM}{e}{MARK} {code}\n"
        for o, e, code in zip(outs[::2], errs[::2], outs[1::2], strict=False)
    )


class Plain(Terminal):
    """A terminal that only records what is written to it: long text is slow to draw."""

    def __enter__(self) -> "Plain":
        super().__enter__()
        self._stream = self  # type: ignore[assignment]
        return self

    def feed(self, data: bytes) -> None:
        """Draw nothing."""


def texts(value: object) -> Iterator[str]:
    """Yield every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


def check(ran: Sequence[Ran], silent: Container[str] = ()) -> None:
    """Check the output of commands; all but the `silent` ones must contain hostile text."""
    for each in ran:
        written = each.text.partition(SEAM)[0]
        assert each.code in CODES, each.call
        clean(each.text)
        assert each.shows or each.call[0] in silent, (each.call, ascii(each.text[:3000]))
        if each.code in (0, 143) and SEAM in each.text and each.call[-1] in ("json", "jsonl"):
            lines = [written] if each.call[-1] == "json" else written.strip("\n").split("\n")
            found = [t for line in lines for t in texts(json.loads(line)) if SHOWN in t]
            assert all(text.startswith(HOSTILE) for text in found), each.call


@pytest.mark.parametrize("where", ["terminal", "pipe"])
async def test_names_messages_enums_and_events_are_escaped(tmp_path: Path, where: str) -> None:
    async with Sandbox(40, limits=PLENTY) as sandbox:
        fired = _names(sandbox)
        ran = await asyncio.to_thread(drive, sandbox, tmp_path, where)
        fired()
    # The output of limits and doctor contains no names.
    check(ran, silent=("follow", "fleet", "limits", "doctor", "sandbox", "serve", "logout"))
    for each in ran:
        assert each.code in (0, 143) or each.call[0] in WRONG, each
        # The watch screen cuts long text.
        assert KEPT in each.text or not each.shows or each.call[0] == "watch", each.call


def _names(sandbox: Sandbox) -> Callable[[], None]:
    """Put hostile text into all responses and events; return a function that checks that."""
    sandbox.set_presence("~", message="x")
    change = hostile()
    rule = sandbox.faults.add(
        Change(lambda body: change(body.decode()).encode()), path="/restapi/v1.0/", times=None
    )
    frames = sandbox.gateway.replace(change, times=None)
    sandbox.simulate(50).start()

    def fired() -> None:
        assert rule.fired > 30
        assert frames.fired > 10

    return fired


@pytest.mark.parametrize("coding", ["cp1252", "ascii"])
async def test_text_is_escaped_for_a_limited_encoding(tmp_path: Path, coding: str) -> None:
    only = ("read", "events", "set", "login", "whoami", "doctor", "logout")
    async with Sandbox(40, limits=PLENTY) as sandbox:
        fired = _names(sandbox)
        ran = await asyncio.to_thread(drive, sandbox, tmp_path, "pipe", only=only, coding=coding)
        fired()
    check(ran, silent=("doctor", "logout"))
    assert all(each.code == 0 or each.call[0] == "doctor" for each in ran)


def _refused(status: int) -> Answer:
    return Answer.error(status, HOSTILE + "1", HOSTILE + "2", HOSTILE + "3")


LOGIN = {
    "error": HOSTILE,
    "error_description": HOSTILE,
    "errors": [{"errorCode": HOSTILE, "message": HOSTILE, "parameterName": HOSTILE}],
}
JSON = {"Content-Type": "application/json"}
API = ("/v1.0/", "/wstoken")
# Commands that end after an error.
SHORT = tuple(name for name in CALLS if name not in ("watch", "events", "poll"))


def _raw(head: str) -> Raw:
    return Raw(f"{head}\r\nContent-Length: 0\r\n\r\n".encode())


# What a header may contain; other control characters are invalid HTTP: see "broken".
IN_HEADER = f"{SHOWN} \x9b2J\x9d0;t\x9c\u202e\u2066\u200b {KEPT}"
# A fault, its paths, the commands to run, and those of them that print its text.
SCENARIOS: Mapping[str, tuple[Fault, Sequence[str], Sequence[str], Sequence[str]]] = {
    "403": (_refused(403), API, tuple(CALLS), ("account", "queue", "queues", "limits")),
    "400": (_refused(400), API, SHORT, ("read", "account", "unified", "set", "whoami", "doctor")),
    "login": (Answer(400, json.dumps(LOGIN).encode(), JSON), ("/oauth/token",), tuple(CALLS), ()),
    "page": (Answer(404, HOSTILE.encode(), {"Content-Type": "text/html"}), API, SHORT, ()),
    "reason": (_raw(f"HTTP/1.1 404 {IN_HEADER}"), API, SHORT, ()),
    "location": (_raw(f"HTTP/1.1 302 X\r\nLocation: /{IN_HEADER}"), API, SHORT, ()),
    "request": (_raw(f"HTTP/1.1 404 X\r\nRCRequestId: {IN_HEADER}"), API, SHORT, ()),
    "group": (Change(headers={"X-Rate-Limit-Group": IN_HEADER}), API, SHORT, ()),
    "broken": (_raw(f"HTTP/1.1 404 X\r\nRCRequestId: {STEERS}"), API, SHORT, ()),
}


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("where", ["terminal", "pipe"])
async def test_errors_are_escaped(tmp_path: Path, where: str, name: str) -> None:
    fault, paths, only, showing = SCENARIOS[name]
    async with Sandbox(40, limits=PLENTY) as sandbox:
        rule = sandbox.faults.add(fault, path=paths[0], times=None)
        for path in paths[1:]:
            sandbox.faults.add(fault, path=path, times=None)
        ran = await asyncio.to_thread(
            drive, sandbox, tmp_path, where, speed=1000.0, only=only, few=True
        )
        assert rule.fired > 10
    check(ran, silent=[each for each in only if each not in showing])
