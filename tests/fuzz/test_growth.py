"""Four times the input takes four times the work and memory at most, also for the worst inputs."""

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from aiopresence import AccountPresenceInfo, GetPresenceInfo, PresenceError, Response, to_dict
from aiopresence.escaping import escaped
from aiopresence.protocol import (
    batch,
    board_json,
    decoding,
    event_frames,
    event_parsing,
    multipart,
    oauth,
    page_decoding,
    rest,
    urls,
)
from aiopresence.protocol.rate_limit_headers import retry_after
from aiopresence.protocol.text_index import fold
from aiopresence.redaction import Redactor
from aiopresence.webhooks.http import CallHeaders
from tests.fuzz.coverage import work_of

N = 400
IDS = tuple(map(str, range(1, 31)))
EVENT = {"event": "/unknown", "timestamp": "x"}


def read_batch(body: bytes, content_type: str = "multipart/mixed; boundary=B") -> object:
    return batch.read(IDS, Response(207, {"content-type": content_type}, body), GetPresenceInfo)


def read_array(body: bytes) -> object:
    return read_batch(body, "application/json")


def read_page(body: bytes) -> object:
    return [*page_decoding.decode_page(body, AccountPresenceInfo, GetPresenceInfo)]


def split_all(body: bytes) -> object:
    return multipart.split(body, b"B", 10**9)


def redact(text: bytes) -> str:
    redactor = Redactor()
    for number in range(16):
        redactor.add(f"secret-{number:020}")
    return redactor.text(text.decode())


def show(data: bytes) -> object:
    return to_dict(event_parsing.parse(decoding.parse(data)))


def wide_event(n: int) -> bytes:
    return b'{"event":"/x","body":{"a":[%b]}}' % b",".join([b'{"b":[1]}'] * n)


CASES: dict[str, tuple[Callable[[int], bytes], Callable[[bytes], object]]] = {
    "delimiters": (lambda n: b"--B\r\n" * n + b"--B--", split_all),
    "parts": (lambda n: b"--B\n\n{}\n" * n + b"--B--", split_all),
    "line ends before the first delimiter": (lambda n: b"\r\n" * n + b"--B--", split_all),
    "lines within a part": (lambda n: b"--B\n\n" + b"\r\n-\r\n" * n + b"\n--B--", split_all),
    "line ends in a batch": (lambda n: b"--B\n\n" + b"\n" * 90 * n + b"--B--\n", read_batch),
    "blank lines in parts": (lambda n: (b"--B\n\n" + b"\n" * n) * 31 + b"--B--\n", read_batch),
    "headers of parts": (lambda n: (b"--B\n" + b"a:b\n" * n) * 31 + b"--B--\n", read_batch),
    "delimiters in a batch": (lambda n: b"--B\n" * 30 * n, read_batch),
    "lines like a delimiter": (lambda n: b"--B\n" + b"--Bx\n" * 30 * n, read_batch),
    "answers": (lambda n: b"[" + b",".join([b'{"status":200}'] * n) + b"]", read_array),
    "calls": (
        lambda n: (
            b'[{"resourceId":"1","status":200,"body":{"activeCalls":[%b]}}]'
            % b",".join([b'{"id":"1","startTime":"2026-03-02T09:00:00Z"}'] * n)
        ),
        read_array,
    ),
    "brackets": (lambda n: b"[" * 900 * n, decoding.parse),
    "digits": (lambda n: b"9" * 100 * n, decoding.parse),
    "commas": (lambda n: b"[" + b"1," * 100 * n + b"1]", decoding.parse),
    "escapes": (lambda n: b'["' + b"\\ud800" * n + b'"]', decoding.parse),
    "backslashes": (lambda n: b'["' + b"\\\\" * n + b"\\ud800" + b'"]', decoding.parse),
    "records": (
        lambda n: b'{"records":[%b]}' % b",".join([b'{"uri":"%b"}' % (b"x" * 700)] * n),
        read_page,
    ),
    "wrong records": (
        lambda n: b'{"records":[%b]}' % b",".join([b'{"uri":"%b","a":5}' % (b"x" * 700)] * n),
        read_page,
    ),
    "where no record begins": (
        lambda n: b'{"records":[{"uri":"%b"}]}' % (b',{\\"uri\\":' * 60 * n),
        read_page,
    ),
    "blanks in a page": (
        lambda n: b'{"records" : [ {"uri" : "%b"}]}' % (b'"records"  :  [  ,   ' * 60 * n),
        read_page,
    ),
    "elements of a frame": (
        lambda n: b'[{"type":"x"}' + b",{}" * n + b"]",
        lambda data: event_frames.parse(data.decode()),
    ),
    "values of an event": (wide_event, show),
    "the name of an event": (
        lambda n: b"/restapi/v1.0/account/" + b"1" * 100 * n,
        lambda data: event_parsing.parse({"event": data.decode(), "body": {}}),
    ),
    "errors": (
        lambda n: b'{"errors":[%b]}' % b",".join([b'{"errorCode":"x"}'] * n),
        lambda data: oauth.token_error(Response(400, {}, data)),
    ),
    "an error body": (
        lambda n: b"\xff\x1b<" * 100 * n,
        lambda data: str(rest.error_from_response(Response(500, {}, data))),
    ),
    "stale ids": (
        lambda n: b'{"stale":[%b]}' % b",".join([b'"1"'] * n),
        board_json.status_of,
    ),
    "times in Retry-After": (
        lambda n: b"5 , " * n,
        lambda data: retry_after({"retry-after": data.decode()}),
    ),
    "a date in Retry-After": (
        lambda n: b"1 Jan:" * n,
        lambda data: retry_after({"retry-after": data.decode(), "date": data.decode()}),
    ),
    "parameters": (
        lambda n: b'a; b="\\";' * n,
        lambda data: multipart.parse_content_type(data.decode()),
    ),
    "accents": (lambda n: ("e" + "\u0301\u0316" * n).encode(), lambda data: fold(data.decode())),
    "what is escaped": (
        lambda n: ("\x1b\U0001f3f4\U000e0067" * n).encode(),
        lambda data: escaped(data.decode()),
    ),
    "what may be a secret": (lambda n: b"%25%36&#x26;\\u0025&amp;" * n, redact),
    "dots in a link": (
        lambda n: b"/restapi/" + b"%2e./.%2E/" * n,
        lambda data: urls.is_path(data.decode()),
    ),
    "labels of a host": (
        lambda n: b"https://" + b"a." * n + b"a",
        lambda data: urls.check_server(data.decode()),
    ),
    "headers of a call": (
        lambda n: b"x" * n,
        lambda data: CallHeaders([(f"a{place}", "b") for place, _ in enumerate(data)]).tokens,
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Any, Callable[[bytes], None]]:
    make, call = CASES[request.param]

    def run(data: bytes) -> None:
        with suppress(PresenceError):
            call(data)

    run(make(3))  # What is made once, such as decoders, is made.
    return make, run


def test_the_work_grows_no_faster_than_the_input(case: tuple[Any, Any]) -> None:
    make, run = case
    work, more = work_of(run, make(N)), work_of(run, make(4 * N))
    assert more <= 4.2 * work + 200


def test_the_memory_grows_no_faster_than_the_input(case: tuple[Any, Any], memory: None) -> None:
    make, run = case
    peak, more = peak_of(run, make(N)), peak_of(run, make(4 * N))
    assert more <= 4.5 * peak + 65_536


@pytest.fixture
def memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def peak_of(call: Callable[[bytes], object], data: bytes) -> int:
    """Return the most bytes that a call has allocated at a time."""
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    call(data)
    return tracemalloc.get_traced_memory()[1] - before


class Scanned(bytes):
    """Bytes that count how many of them are looked at, or copied."""

    looked_at = 0

    def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        place = super().find(sub, start, end)
        Scanned.looked_at += (len(self) if place < 0 else place + len(sub)) - start
        return place

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        Scanned.looked_at += len(found) if isinstance(found, bytes) else 1
        return found


@pytest.mark.parametrize("name", [name for name, (_, call) in CASES.items() if call is split_all])
def test_each_byte_of_a_multipart_body_is_looked_at_a_few_times(name: str) -> None:
    body = Scanned(CASES[name][0](10 * N))
    Scanned.looked_at = 0
    with suppress(PresenceError):
        split_all(body)
    assert len(body) / 2 <= Scanned.looked_at <= 5 * len(body)


@pytest.mark.parametrize(
    "data",
    [
        b"[" + b"[]," * 2 * decoding.MAX_OBJECTS + b"1]",
        b"[" + b"1," * 2 * decoding.MAX_VALUES + b"1]",
        b"[" * 3 * decoding.MAX_OBJECTS,
    ],
    ids=["objects", "values", "depth"],
)
def test_json_with_too_many_values_is_refused_before_it_is_built(data: bytes, memory: None) -> None:
    with pytest.raises(PresenceError):
        decoding.parse(data)
    assert peak_of(lambda data: suppressed(decoding.parse, data), data) < len(data) / 10


def suppressed(call: Callable[[bytes], object], data: bytes) -> None:
    with suppress(PresenceError):
        call(data)
