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


def test_crlf() -> None:
    assert payloads(SIMPLE) == [A, B]


def test_lf_only_mp05() -> None:
    body = wrap([part(A, eol=b"\n"), part(A, eol=b"\n")], eol=b"\n", boundary="B")
    assert b"\r" not in body
    assert payloads(body) == [A, A]


def test_crlf_and_lf_mixed_in_one_body_mp06() -> None:
    body = b"--B\nX: 1\r\n\n" + A + b"\r\n--B\r\nX: 2\n\r\n" + A + b"\n--B--"
    assert payloads(body) == [A, A]


def test_bare_cr_ends_no_line_mp06() -> None:
    body = SIMPLE.replace(b"\r\n", b"\r")
    with pytest.raises(DecodeError, match="without a delimiter"):
        multipart.split(body, b"B", 10)


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_preamble_and_epilogue_are_ignored_mp07(eol: bytes) -> None:
    noise = eol.join([b"To whom it may concern", b"", b"--Bogus", b"-- B", b""])
    assert payloads(noise + SIMPLE + noise) == [A, B]


def test_close_delimiter_needs_no_line_end_mp04() -> None:
    assert payloads(SIMPLE.removesuffix(b"\r\n")) == [A, B]


def test_padding_after_a_delimiter_is_allowed() -> None:
    body = SIMPLE.replace(b"--B\r\n", b"--B \t\r\n").replace(b"--B--\r\n", b"--B-- \r\n")
    assert payloads(body) == [A, B]


def test_delimiter_prefix_in_the_payload_is_payload_mp12() -> None:
    text = b'{"x":\n"1"}\n--Bndx\n'
    assert payloads(b"--B\n\n" + text + b"\n--B--") == [text]


def test_every_truncation_keeps_only_whole_parts_mp01_mp02_mp03() -> None:
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


@pytest.mark.parametrize("body", [b"", b"\r\n\r\n", b"{}", b"--C\r\n\r\n{}\r\n--C--", b"-" * 99])
def test_no_delimiter_mp11(body: bytes) -> None:
    with pytest.raises(DecodeError, match="without a delimiter"):
        multipart.split(body, b"B", 10)


def test_a_doubled_delimiter_is_an_empty_part_mp13() -> None:
    split = multipart.split(b"--B\r\n--B\r\n\r\n{}\r\n--B--", b"B", 10)
    assert split.parts == (b"", b"\r\n{}")
    with pytest.raises(DecodeError, match="blank line after its headers"):
        multipart.payload(split.parts[0])


def test_nothing_counts_after_the_close_delimiter_mp14() -> None:
    assert payloads(b"--B\n\n{}\n--B--\n--B\n\n[]\n--B--\n") == [b"{}"]


def test_too_many_parts_stop_the_reading_mp25() -> None:
    with pytest.raises(DecodeError, match="more than 31 parts"):
        multipart.split(b"--B\n" * 1_000_000, b"B", 31)


def test_too_many_lookalikes_stop_the_reading_mp08() -> None:
    with pytest.raises(DecodeError, match="look like a delimiter"):
        multipart.split(b"\n--Bx" * 1_000_000, b"B", 31)


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
def test_boundaries_that_are_allowed_mp10(header: str, boundary: bytes) -> None:
    assert multipart.parse_boundary(header) == boundary


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
def test_boundaries_that_are_refused_mp09_mp10_mp30(header: str) -> None:
    with pytest.raises(DecodeError):
        multipart.parse_boundary(header)


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
def test_part_headers_that_are_read_mp28_mp32(headers: str) -> None:
    assert multipart.payload(part(A, headers=headers)) == A


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Type: text/html",
        "Content-Type: multipart/mixed; boundary=C",  # MP-26
        "Content-Type: application/json; charset=utf-99",  # MP-23
        "Content-Type: application/json; charset=utf-16",
        "Content-Transfer-Encoding: base64",  # MP-29
        "Content-Encoding: gzip",
        "HTTP/1.1 200 OK\nContent-Type: application/json",  # MP-32
        "Content-Type: application/json\n folded",  # MP-27
        "No colon",
        "X: a\0b",
        "X: a\rb",
        "X y: z",
        "\n".join(f"X-{n}: 1" for n in range(17)),
        "X: " + "x" * 9000,
    ],
)
def test_part_headers_that_are_refused(headers: str) -> None:
    with pytest.raises(DecodeError):
        multipart.payload(b"\r\n".join([*headers.encode().split(b"\n"), b"", A]))


def test_a_part_has_a_bound_mp24() -> None:
    with pytest.raises(DecodeError, match="exceeds 524288 bytes"):
        multipart.payload(b"\r\n" + b" " * multipart.MAX_PART)


@given(st.binary(max_size=300), st.lists(st.sampled_from([b"--B", b"\r\n", b"\n", b"--", A])))
def test_any_bytes_give_parts_or_a_decode_error(noise: bytes, tokens: list[bytes]) -> None:
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
def test_what_was_written_is_read(texts: list[bytes], eol: bytes) -> None:
    body = wrap([part(text, eol=eol) for text in texts], eol=eol, boundary="B")
    assert payloads(body) == texts


# The short cut for bodies whose parts all look the same.


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
@pytest.mark.parametrize("headers", ["", "Content-Type: application/json", "X: 1\nY: 2"])
@pytest.mark.parametrize("text", [A, b'{\n  "a" : [\r\n\n 1 ]\n}'], ids=["a line", "lines"])
def test_parts_that_look_the_same_are_found_at_once(text: bytes, headers: str, eol: bytes) -> None:
    body = wrap([part(text, headers=headers, eol=eol)] * 3, eol=eol, boundary="B")
    assert [p.rstrip() for p in multipart.split_uniform(body, b"B", 3)] == [text] * 3
    assert multipart.split_uniform(body, b"B", 2) == multipart.split_uniform(body, b"B", 4) == []


def test_parts_with_headers_that_are_refused_are_refused() -> None:
    body = wrap([part(A, headers="Content-Type: text/html")] * 2, boundary="B")
    with pytest.raises(DecodeError, match="not JSON"):
        multipart.split_uniform(body, b"B", 2)


def test_mixed_line_ends_are_no_hindrance() -> None:
    head = b"--B\nContent-Type: application/json\r\n\r\n"
    assert multipart.split_uniform((head + A + b"\n") * 2 + b"--B--", b"B", 2) == [A + b"\n"] * 2


@pytest.mark.parametrize("body", [b"--b\n\n", b"--b--", b"--b\n\n--b--", b"", b"\n--b--"])
def test_a_body_without_parts_has_none(body: bytes) -> None:
    assert multipart.split_uniform(body, b"b", 2) == []


def test_headers_beyond_their_bound_are_not_looked_at() -> None:
    filler = "X: " + "x" * multipart.MAX_HEADER_BYTES
    assert multipart.split_uniform(wrap([part(A, headers=filler)] * 2, boundary="B"), b"B", 2) == []


@given(
    st.lists(st.sampled_from([b"--B", b"--B--", b"", b"X: 1", A, b"--B x"]), max_size=16),
    st.sampled_from([b"\r\n", b"\n"]),
    st.integers(1, 4),
)
def test_what_is_found_at_once_is_what_is_there(lines: list[bytes], eol: bytes, count: int) -> None:
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
