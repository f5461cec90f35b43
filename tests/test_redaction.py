import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from html import escape
from urllib.parse import quote

import pytest

from aiopresence import DecodeError, GetPresenceInfo, PresenceError, RateLimited, Response
from aiopresence.protocol import batch
from aiopresence.protocol.batch_formats import MULTIPART_JSON
from aiopresence.protocol.rest import error_from_response
from aiopresence.redaction import MAX_SECRETS, STARS, Redactor

TOKEN = "U0pDMTJQMDFQQVMwMHx/abc+def=_-~"
PLAIN = "U0pDMTJQMDFQQVMwMHxBQUR_-.~"
ODD = "U0pD%41&amp;QMDFQQVMwMHxBQUR"


def unicode_escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04X}" for character in text)


def in_json(text: str) -> str:
    return json.dumps(json.dumps({"t": text}).replace("/", "\\/"))[1:-1]


def percent(text: str) -> str:
    return "".join(f"%{ord(character):02x}" for character in text)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "slashes escaped": lambda text: text.replace("/", "\\/"),
    "one escape": lambda text: text.replace("0", "\\u0030", 1).replace("=", "\\u003d"),
    "all escaped": unicode_escaped,
    "percent": lambda text: quote(text, safe=""),
    "all percent": percent,
    "some percent": lambda text: text.replace("+", "%2B"),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "percent escaped": lambda text: percent(text).replace("%", "\\u0025"),
    "tilde": lambda text: text.replace("~", "%7E"),
    "HTML": lambda text: escape(text.replace("/", "&#x2F;").replace("=", "&#61;")),
    "HTML escaped": lambda text: text.replace("/", "\\u0026#47;"),
    "JSON in JSON": in_json,
    "escapes in JSON": lambda text: in_json(text).replace("0", "\\\\u0030"),
}


def hiding(*secrets: str) -> Redactor:
    redactor = Redactor()
    for secret in secrets:
        redactor.add(secret)
    return redactor


def shown(error: PresenceError | None) -> str:
    assert error is not None
    return f"{error} {error!r} {vars(error)} {json.dumps(vars(error), default=repr)}"


@pytest.mark.fault
@pytest.mark.parametrize("token", [TOKEN, PLAIN, ODD])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_error_shows_a_token(spelling: str, token: str) -> None:
    spelt = SPELLINGS[spelling](token)
    said = f'{{"errorCode":"{spelt}","message":"the token {spelt} is bad"}}'
    headers = {"x-rate-limit-group": spelt, "content-type": MULTIPART_JSON}
    whole = error_from_response(Response(429, headers, said.encode(), hiding(token)))
    part = f'[{{"status":400,"body":{said}}}]'.encode()
    [outcome] = batch.read(("1",), Response(207, headers, part, hiding(token)), GetPresenceInfo)
    assert isinstance(whole, RateLimited)
    assert not isinstance(outcome.error, DecodeError)
    for text in (shown(whole), shown(outcome.error)):
        for secret in {token, spelt, spelt.replace("\\", "\\\\"), percent(token)}:
            assert secret not in text


def test_what_has_no_secret_in_it_is_shown() -> None:
    response = Response(
        400, {}, b'{"errorCode":"CMN-101","message":"50 %41 &amp; \\\\"}', hiding(TOKEN)
    )
    error = error_from_response(response)
    assert (error.error_code, error.message) == ("CMN-101", "50 %41 &amp; \\")


@pytest.mark.fault
@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("100%%41Bcdefghijk", "ABcdefghijk"),
        ("&#%35%30JDMTJQMDFQ", "50JDMTJQMDFQ"),
        ("U\0S\0E\0", "USE"),
        ("&#" + "1" * 5000 + "USE", "USE"),
        (f"{'%25' * 3}41BC", "ABC"),
    ],
)
def test_a_secret_is_found_at_whatever_depth(text: str, secret: str) -> None:
    assert hiding(secret).text(text) == STARS
    assert hiding("another").text(text) == text


def test_only_as_much_is_looked_at_as_could_be_shown() -> None:
    far = "%" * 10_000
    assert hiding(TOKEN).text(far + percent(TOKEN)) == far + percent(TOKEN)
    assert hiding(TOKEN).text(far + TOKEN) == far + STARS
    response = Response(400, {}, (far + TOKEN).encode(), hiding(TOKEN))
    assert TOKEN not in shown(error_from_response(response))


@pytest.mark.parametrize("spelling", ["as it is", "slashes escaped", "percent"])
def test_no_good_answer_gives_a_token_and_all_else_stays(spelling: str) -> None:
    spelt = SPELLINGS[spelling](TOKEN)
    body = '{"a":"\\\\u0041 \\"\\u00e9\\n","b":"' + spelt + '","c":"\\u0022"}'
    link = f"/x?access_token={TOKEN}"
    redactor = hiding(TOKEN)
    headers = redactor.headers({"x": f"a {TOKEN}", "location": link})
    clean = redactor.body(body.encode())
    assert json.loads(clean) == {"a": '\\u0041 "é\n', "b": "***", "c": '"'}
    assert headers == {"x": "a ***", "location": "/x?access_token=***"}


def test_an_answer_without_it_is_the_same() -> None:
    headers, body = {"x": "/a%2Fb"}, b'{"a":"\\u0041 \\/ %7E"}'
    for secrets in ((), (TOKEN,), ("",), ("1",), (TOKEN, PLAIN)):
        assert hiding(*secrets).headers(headers) is headers
        assert hiding(*secrets).body(body) is body


def test_the_latest_secrets_are_remembered() -> None:
    redactor = hiding(*(f"secret-{number:03}" for number in range(MAX_SECRETS)))
    redactor.add("secret-000")
    redactor.add("one more secret")
    assert redactor.text("secret-000") == redactor.text("one more secret") == STARS
    assert redactor.text("secret-001") == "secret-001"


def test_a_redactor_shows_no_secret_itself() -> None:
    redactor = hiding(TOKEN)
    assert TOKEN not in f"{redactor!r} {vars(redactor)!r}"


@pytest.mark.parametrize("before", ["", "a", "ab", "client-id:"])
@pytest.mark.parametrize("after", ["", "z", "zz"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("secret", [TOKEN, PLAIN])
def test_base64_of_a_text_with_a_secret_in_it_is_redacted(
    before: str, after: str, encode: Callable[[bytes], bytes], secret: str
) -> None:
    redactor = Redactor()
    redactor.add(secret)
    shown = redactor.text(f"refused: {encode((before + secret + after).encode()).decode()}")
    assert STARS in shown
    # What is left are the digits at the ends, which have bits of the surrounding text.
    assert len(shown) <= len(f"refused: {STARS}") + 2 * len(before) + 2 * len(after) + 8


@pytest.mark.parametrize("encode", [bytes.hex, lambda secret: secret.hex().upper()])
def test_hexadecimal_digits_of_a_secret_are_redacted(encode: Callable[[bytes], str]) -> None:
    redactor = Redactor()
    redactor.add(TOKEN)
    assert redactor.text(f"refused: {encode(TOKEN.encode())}") == f"refused: {STARS}"
