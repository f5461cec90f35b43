import sys
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from aiopresence import DecodeError
from aiopresence.protocol import multipart
from tests.support.bodies import part, wrap

A, B = b'{"a":1}', b'{"b":\n"--Bx",\r\n"c":2}'
SIMPLE = wrap([part(A), part(B)], boundary="B")


def payloads(body: bytes, boundary: bytes = b"B") -> list[bytes]:
    split = multipart.split(body, boundary, 10)
    assert split.is_closed
    return [multipart.payload(p) for p in split.parts]


def test_lines_may_end_with_crlf() -> None:
    assert payloads(SIMPLE) == [A, B]


@pytest.mark.fault
def test_lines_may_end_with_lf() -> None:
    body = wrap([part(A, eol=b"\n"), part(A, eol=b"\n")], eol=b"\n", boundary="B")
    assert b"\r" not in body
    assert payloads(body) == [A, A]


@pytest.mark.fault
def test_crlf_and_lf_may_be_mixed() -> None:
    body = b"--B\nX: 1\r\n\n" + A + b"\r\n--B\r\nX: 2\n\r\n" + A + b"\n--B--"
    assert payloads(body) == [A, A]


@pytest.mark.fault
def test_a_bare_cr_does_not_end_a_line() -> None:
    body = SIMPLE.replace(b"\r\n", b"\r")
    with pytest.raises(DecodeError, match="without a delimiter"):
        multipart.split(body, b"B", 10)


@pytest.mark.fault
@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_preamble_and_epilogue_are_ignored(eol: bytes) -> None:
    noise = eol.join([b"To whom it may concern", b"", b"--Bogus", b"-- B", b""])
    assert payloads(noise + SIMPLE + noise) == [A, B]


@pytest.mark.fault
@pytest.mark.parametrize("noise", [b"\r\n", b"\n", b"-", b"\r\n-"])
def test_the_size_of_preamble_and_epilogue_adds_no_steps(noise: bytes) -> None:
    def steps(times: int) -> int:
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        body = noise * times + b"\r\n" + SIMPLE + noise * times
        before = sys.getprofile()
        sys.setprofile(count)
        try:
            parts = multipart.split(body, b"B", 10).parts
        finally:
            sys.setprofile(before)
        assert [multipart.payload(part) for part in parts] == [A, B]
        return calls

    assert steps(500_000) == steps(10)


@pytest.mark.fault
def test_the_closing_delimiter_needs_no_line_end() -> None:
    assert payloads(SIMPLE.removesuffix(b"\r\n")) == [A, B]


def test_padding_after_a_delimiter_is_allowed() -> None:
    body = SIMPLE.replace(b"--B\r\n", b"--B \t\r\n").replace(b"--B--\r\n", b"--B-- \r\n")
    assert payloads(body) == [A, B]


@pytest.mark.fault
def test_a_delimiter_prefix_in_a_payload_is_payload() -> None:
    text = b'{"x":\n"1"}\n--Bndx\n'
    assert payloads(b"--B\n\n" + text + b"\n--B--") == [text]


@pytest.mark.fault
def test_every_truncation_keeps_only_complete_parts() -> None:
    whole = multipart.split(SIMPLE, b"B", 10)
    closing = SIMPLE.index(b"--B--") + len(b"--B--")
    for cut in range(len(SIMPLE)):
        try:
            split = multipart.split(SIMPLE[:cut], b"B", 10)
        except DecodeError:
            assert cut < len(b"--B\r\n")
            continue
        assert split.is_closed is (cut >= closing)
        assert split.parts == whole.parts[: len(split.parts)]
        assert split.is_closed or len(split.parts) < 2


@pytest.mark.fault
@pytest.mark.parametrize("body", [b"", b"\r\n\r\n", b"{}", b"--C\r\n\r\n{}\r\n--C--", b"-" * 99])
def test_a_body_without_a_delimiter_is_an_error(body: bytes) -> None:
    with pytest.raises(DecodeError, match="without a delimiter"):
        multipart.split(body, b"B", 10)


@pytest.mark.fault
def test_a_repeated_delimiter_is_an_empty_part() -> None:
    split = multipart.split(b"--B\r\n--B\r\n\r\n{}\r\n--B--", b"B", 10)
    assert split.parts == (b"", b"\r\n{}")
    with pytest.raises(DecodeError, match="blank line after its headers"):
        multipart.payload(split.parts[0])


@pytest.mark.fault
def test_text_after_the_closing_delimiter_is_ignored() -> None:
    assert payloads(b"--B\n\n{}\n--B--\n--B\n\n[]\n--B--\n") == [b"{}"]


@pytest.mark.fault
def test_too_many_parts_are_an_error_at_once() -> None:
    with pytest.raises(DecodeError, match="more than 31 parts"):
        multipart.split(b"--B\n" * 1_000_000, b"B", 31)


@pytest.mark.fault
def test_too_many_lines_like_a_delimiter_are_an_error_at_once() -> None:
    with pytest.raises(DecodeError, match="look like a delimiter"):
        multipart.split(b"\n--Bx" * 1_000_000, b"B", 31)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("header", "boundary"),
    [
        ("multipart/mixed; boundary=x", b"x"),
        ("multipart/mixed;boundary=Boundary_12_34;charset=UTF-8", b"Boundary_12_34"),
        ('multipart/mixed; boundary="a b"', b"a b"),
        ('Multipart/Mixed ; charset=utf-8 ; Boundary="a:b=c?"', b"a:b=c?"),
        ('multipart/mixed; boundary="a\\=b"', b"a=b"),
        ("multipart/mixed; boundary=first; boundary=second", b"first"),
        ("multipart/mixed; boundary=" + "y" * 70, b"y" * 70),
    ],
)
def test_valid_boundaries(header: str, boundary: bytes) -> None:
    assert multipart.parse_boundary(header) == boundary


@pytest.mark.fault
@pytest.mark.parametrize(
    "header",
    [
        "",
        "multipart/mixed",
        "multipart/mixed; boundary=",
        'multipart/mixed; boundary=""',
        'multipart/mixed; boundary="ends with a space "',
        'multipart/mixed; boundary="a;b"',
        "multipart/mixed; boundary=" + "y" * 71,
        "multipart/mixed; boundary=" + "y" * 10_000,
        "multipart/form-data; boundary=x",
        "text/plain; boundary=x",
        "multipart/mixed; boundary=é",
    ],
)
def test_invalid_boundaries_are_refused(header: str) -> None:
    with pytest.raises(DecodeError):
        multipart.parse_boundary(header)


@pytest.mark.fault
@pytest.mark.parametrize(
    "headers",
    [
        "",
        "Content-Type: application/json",
        "CONTENT-TYPE: Application/JSON; Charset=UTF-8",
        "content-type:application/json;charset=utf-8\nContent-Length: 7",
        "Content-Type: application/json\nContent-Length: 999999",
        "Content-Type: application/json\nContent-Length: +5\nContent-Length: -1",
        "Content-Type: application/json\nContent-Type: text/html",
        "Content-Transfer-Encoding: 8bit\nContent-Encoding: identity",
        "Content-Type: application/problem+json",
    ],
)
def test_valid_part_headers(headers: str) -> None:
    assert multipart.payload(part(A, headers=headers)) == A


@pytest.mark.fault
@pytest.mark.parametrize(
    "headers",
    [
        "Content-Type: text/html",
        "Content-Type: multipart/mixed; boundary=C",
        "Content-Type: application/json; charset=utf-99",
        "Content-Type: application/json; charset=utf-16",
        "Content-Transfer-Encoding: base64",
        "Content-Encoding: gzip",
        "HTTP/1.1 200 OK\nContent-Type: application/json",
        "Content-Type: application/json\n folded",
        "No colon",
        "X: a\0b",
        "X: a\rb",
        "X y: z",
        "\n".join(f"X-{n}: 1" for n in range(17)),
        "X: " + "x" * 9000,
    ],
)
def test_invalid_part_headers_are_refused(headers: str) -> None:
    with pytest.raises(DecodeError):
        multipart.payload(b"\r\n".join([*headers.encode().split(b"\n"), b"", A]))


@pytest.mark.fault
def test_a_part_that_is_too_long_is_refused() -> None:
    with pytest.raises(DecodeError, match="exceeds 524288 bytes"):
        multipart.payload(b"\r\n" + b" " * multipart.MAX_PART)


@pytest.mark.fault
@given(st.binary(max_size=300), st.lists(st.sampled_from([b"--B", b"\r\n", b"\n", b"--", A])))
def test_any_bytes_are_parts_or_a_decode_error(noise: bytes, tokens: list[bytes]) -> None:
    body = b"".join(tokens) + noise + b"".join(tokens)
    try:
        split = multipart.split(body, b"B", 5)
    except DecodeError:
        return
    for p in split.parts:
        assert p in body
        with suppress(DecodeError):
            assert multipart.payload(p) in p


@given(
    st.lists(
        st.binary(max_size=40).filter(lambda b: b"--B" not in b and b[-1:] != b"\r"), max_size=5
    ),
    st.sampled_from([b"\r\n", b"\n"]),
)
def test_parts_that_were_written_are_parsed(texts: list[bytes], eol: bytes) -> None:
    body = wrap([part(text, eol=eol) for text in texts], eol=eol, boundary="B")
    assert payloads(body) == texts


# The short cut for bodies whose parts all look the same.


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
@pytest.mark.parametrize("headers", ["", "Content-Type: application/json", "X: 1\nY: 2"])
@pytest.mark.parametrize("text", [A, b'{\n  "a" : [\r\n\n 1 ]\n}'], ids=["a line", "lines"])
def test_parts_with_identical_headers_take_the_fast_path(
    text: bytes, headers: str, eol: bytes
) -> None:
    body = wrap([part(text, headers=headers, eol=eol)] * 3, eol=eol, boundary="B")
    assert [p.rstrip() for p in multipart.split_uniform(body, b"B", 3)] == [text] * 3
    assert multipart.split_uniform(body, b"B", 2) == multipart.split_uniform(body, b"B", 4) == []


def test_the_fast_path_refuses_invalid_headers() -> None:
    body = wrap([part(A, headers="Content-Type: text/html")] * 2, boundary="B")
    with pytest.raises(DecodeError, match="not JSON"):
        multipart.split_uniform(body, b"B", 2)


def test_the_fast_path_accepts_mixed_line_ends() -> None:
    head = b"--B\nContent-Type: application/json\r\n\r\n"
    assert multipart.split_uniform((head + A + b"\n") * 2 + b"--B--", b"B", 2) == [A + b"\n"] * 2


@pytest.mark.parametrize("body", [b"--b\n\n", b"--b--", b"--b\n\n--b--", b"", b"\n--b--"])
def test_the_fast_path_returns_nothing_for_a_body_without_parts(body: bytes) -> None:
    assert multipart.split_uniform(body, b"b", 2) == []


def test_the_fast_path_returns_nothing_for_long_headers() -> None:
    filler = "X: " + "x" * multipart.MAX_HEADER_BYTES
    assert multipart.split_uniform(wrap([part(A, headers=filler)] * 2, boundary="B"), b"B", 2) == []


@given(
    st.lists(st.sampled_from([b"--B", b"--B--", b"", b"X: 1", A, b"--B x"]), max_size=16),
    st.sampled_from([b"\r\n", b"\n"]),
    st.integers(1, 4),
)
def test_the_fast_path_returns_what_the_slow_path_returns(
    lines: list[bytes], eol: bytes, count: int
) -> None:
    for body in (
        eol.join(lines),
        wrap([part(A, eol=eol)] * count + lines[:1], eol=eol, boundary="B"),
    ):
        try:
            parts = multipart.split_uniform(body, b"B", count)
        except DecodeError:
            continue
        # What holds a delimiter is no JSON, and is not taken for any.
        if parts and not any(b"--B" in p for p in parts):
            split = multipart.split(body, b"B", count)
            assert split.is_closed
            assert [multipart.payload(p).strip() for p in split.parts] == [p.strip() for p in parts]


JSON_HEADER = b"Content-Type: application/json"


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: multipart.parse_boundary("text/plain"), "expected multipart/mixed"),
        (
            lambda: multipart.parse_boundary("multipart/mixed"),
            "multipart without a valid boundary",
        ),
        (lambda: multipart.split(b"--C--", b"B", 9), "multipart without a delimiter"),
        (lambda: multipart.split(b"--B\n" * 4, b"B", 2), "more than 2 parts"),
        (
            lambda: multipart.split(b"--Bx\n" * 1001, b"B", 2),
            "multipart with too many lines that look like a delimiter",
        ),
        (
            lambda: multipart.payload(b" " * 524_289),
            "multipart part exceeds 524288 bytes",
        ),
        (
            lambda: multipart.payload(b"X: 1\r\n{}"),
            "multipart part without the blank line after its headers",
        ),
        (
            lambda: multipart.payload(b"Content-Type: text/html\n\n{}"),
            "multipart part is not JSON",
        ),
        (
            lambda: multipart.payload(JSON_HEADER + b"; charset=latin-1\n\n{}"),
            "multipart part is not plain UTF-8",
        ),
        (lambda: multipart.payload(b"x\n\n{}"), "multipart part with a broken header"),
        (
            lambda: multipart.payload(b"".join(b"X-%d: 1\n" % n for n in range(17)) + b"\n{}"),
            "multipart part with more than 16 headers",
        ),
    ],
)
def test_an_error_says_what_is_wrong(call: Callable[[], object], reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        call()
    assert str(caught.value) == f"cannot decode the response: {reason}"


def test_what_is_just_within_the_bounds_is_read() -> None:
    assert multipart.split(b"--B\nx\n--B\ny\n--B--", b"B", 2) == multipart.Split((b"x", b"y"), True)
    assert multipart.split(b"--Bx\n" * 1000 + b"--B--", b"B", 2) == multipart.Split((), True)
    headers = b"".join(b"X-%d: 1\n" % n for n in range(16))
    assert multipart.payload(headers + b"X-1: 2\n\n{}") == b"{}"
    longest = b"\n" + b" " * (multipart.MAX_PART - 1)
    assert multipart.payload(longest) == longest[1:]
    for size, is_good in (
        (multipart.MAX_HEADER_BYTES, True),
        (multipart.MAX_HEADER_BYTES + 1, False),
    ):
        part_ = (b"X: " + b"x" * size)[: size - 2] + b"\n\n{}"
        if is_good:
            assert multipart.payload(part_) == b"{}"
        else:
            with pytest.raises(DecodeError, match="blank line"):
                multipart.payload(part_)


@pytest.mark.parametrize(
    ("text", "media", "parameters"),
    [
        ("", "", {}),
        (" Text/HTML ", "text/html", {}),
        ("a/b;C=D; e = f ;g", "a/b", {"c": "D", "e": "f"}),
        ('a/b; c="d;\\"e"; C=second', "a/b", {"c": 'd;"e'}),
        ('a/b; c=""; d=', "a/b", {"c": "", "d": ""}),
        ('a/b; c="open; d=e', "a/b", {"c": "", "d": "e"}),
        ("a/b;" + " " * 8188 + "c=d", "a/b", {}),
        ("a/b;" + " " * 8185 + "c=d", "a/b", {"c": "d"}),
        ("a/b;" + " " * 8184 + "c=de", "a/b", {"c": "de"}),
    ],
)
def test_a_content_type(text: str, media: str, parameters: dict[str, str]) -> None:
    assert multipart.parse_content_type(text) == (media, parameters)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (b"Content-Type: application/json; charset=", [b"utf-8", b"UTF8", b'" us-ascii "', b'""']),
        (b"Content-Transfer-Encoding: ", [b"7bit", b"8BIT", b"binary ", b""]),
        (b"content-encoding:", [b"identity", b" Identity", b""]),
        (b"Content-Type: ", [b"Application/JSON", b"application/json;x=y", b"a/b+json"]),
    ],
)
def test_every_plain_encoding_is_accepted(name: bytes, values: list[bytes]) -> None:
    for value in values:
        assert multipart.payload(name + value + b"\r\n\r\n{}") == b"{}"


def test_the_first_of_repeated_headers_counts() -> None:
    good, bad = JSON_HEADER + b"\n", b"content-type: text/html\n"
    assert multipart.payload(good + bad + b"\n{}") == b"{}"
    with pytest.raises(DecodeError, match="not JSON"):
        multipart.payload(bad + good + b"\n{}")


@pytest.mark.parametrize(
    ("body", "parts", "is_closed"),
    [
        (b"--B\n\r\n--B--", (b"",), True),
        (b"--B\nx\r\r\n--B--", (b"x\r",), True),
        (b"--B\nx\n\n--B\n--B--", (b"x\n", b""), True),
        (b"--B\nx\n--B", (), False),
        (b"--B\nx\n--B\n", (b"x",), False),
        (b"--B\nx\n--B\r\ny", (b"x",), False),
        (b"--B\nx\n--B-", (), False),
        (b"--B\nx\n--B--\t \r", (b"x",), True),
        (b"--B\nx\n--B--y\nz\n--B--", (b"x\n--B--y\nz",), True),
        (b"--B \t\r\nx\n--B--", (b"x",), True),
        (b"--B\nx\n--B\r\r\ny\n--B--", (b"x\n--B\r\r\ny",), True),
        (b"--B\nx\n--B \x0b\ny\n--B--", (b"x\n--B \x0b\ny",), True),
        (b"--B\nx\n--BX\ny\n--B--", (b"x\n--BX\ny",), True),
        (b"y\n--B\nx\n--B--", (b"x",), True),
        (b"y--B\n--B--\n", (), True),
    ],
)
def test_where_parts_begin_and_end(body: bytes, parts: tuple[bytes, ...], is_closed: bool) -> None:
    assert multipart.split(body, b"B", 9) == multipart.Split(parts, is_closed)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_what_may_follow_the_end_on_the_fast_path(end: bytes) -> None:
    body = b"--B\r\n\r\n{}\r\n--B\r\n\r\n[]\r\n--B--"
    assert multipart.split_uniform(body + end, b"B", 2) == [b"{}\r\n", b"[]\r\n"]
    for other in (b" ", b"x", b"\n\n", b"\r", end + b"--B--x"):
        assert multipart.split_uniform(body + other, b"B", 2) == []


@pytest.mark.parametrize("text", [b"%s", b"\n%s"], ids=["a line", "two lines"])
def test_the_fast_path_has_the_bound_of_the_slow_path(text: bytes) -> None:
    head = b"--B\n\n"
    for size, is_good in ((multipart.MAX_PART - len(head), True), (multipart.MAX_PART, False)):
        long = text % (b" " * (size - len(text) + 2 - 1))
        body = head + long + b"\n" + head + text % b"x" + b"\n--B--"
        assert bool(multipart.split_uniform(body, b"B", 2)) is is_good


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (b"--B\n\n--B--", 1),
        (b"--Bx\nX: 1\n\n{}\n--Bx\nX: 1\n\n{}\n--B--", 2),
        (b"--B\nX: 1\n\n{}\n--B\nX: 1\nY: 2\n{}\n--B--", 2),
        (b"--B\nX: 1\n\n{}\n--B\nX: 2\n\n{}\n--B--", 2),
        (b"\n--B\n\n{}\n--B\n\n{}\n--B--", 2),
        (b"\n\n--B--", 1),
    ],
)
def test_the_fast_path_returns_nothing_unless_all_parts_begin_alike(
    body: bytes, count: int
) -> None:
    assert multipart.split_uniform(body, b"B", count) == []


def test_the_value_of_a_header_may_have_colons() -> None:
    assert multipart.payload(b"Link: https://a.example:443/\n\n{}") == b"{}"
