import json
from collections.abc import Callable
from html import escape
from urllib.parse import quote

import pytest

from aiopresence import Response
from aiopresence.protocol.scrub import scrubbed
from aiopresence.protocol.wire import refusal

TOKEN = "U0pDMTJQMDFQQVMwMHx/abc+def=_-~"
PLAIN = "U0pDMTJQMDFQQVMwMHxBQUR_-.~"
ODD = "U0pD%41&amp;QMDFQQVMwMHxBQUR"


def unicode_escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04X}" for character in text)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "slashes escaped": lambda text: text.replace("/", "\\/"),
    "one escape": lambda text: text.replace("0", "\\u0030", 1).replace("=", "\\u003d"),
    "all escaped": unicode_escaped,
    "percent": lambda text: quote(text, safe=""),
    "percent in lower case": lambda text: quote(text, safe="").replace("%2F", "%2f"),
    "some percent": lambda text: text.replace("+", "%2B"),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "tilde": lambda text: text.replace("~", "%7E"),
    "HTML": lambda text: escape(text.replace("/", "&#x2F;").replace("=", "&#61;")),
}


@pytest.mark.parametrize("token", [TOKEN, PLAIN, ODD])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_refusal_shows_a_token(spelling: str, token: str) -> None:
    spelt = SPELLINGS[spelling](token)
    body = f'{{"errorCode":"A","message":"the token {spelt} is bad","x":{{"{spelt}":1}}}}'.encode()
    headers = {"content-type": "application/json", "www-authenticate": f'Bearer error="{spelt}"'}
    clean = scrubbed(Response(400, headers, body), token)
    error = refusal(clean)
    for shown in (str(error), repr(error), error.body, clean.body.decode(), str(clean.headers)):
        assert token not in shown
        assert spelt not in shown
    assert clean.status == 400
    assert clean.headers["content-type"] == "application/json"


@pytest.mark.parametrize("spelling", ["as it is", "slashes escaped", "one escape", "all escaped"])
def test_no_good_answer_gives_a_token_and_all_else_stays(spelling: str) -> None:
    spelt = SPELLINGS[spelling](TOKEN)
    body = '{"a":"\\\\u0041 \\"\\u00e9\\n","b":"' + spelt + '","c":"\\u0022"}'
    clean = scrubbed(Response(207, {}, body.encode()), TOKEN)
    assert json.loads(clean.body) == {"a": '\\u0041 "é\n', "b": "***", "c": '"'}


def test_an_answer_without_it_is_the_same() -> None:
    response = Response(200, {"location": "/a%2Fb"}, b'{"a":"\\u0041 \\/ %7E"}')
    assert scrubbed(response, TOKEN) is response
    assert scrubbed(response, "") is response


def test_what_is_too_short_for_a_token_is_taken_out_of_refusals_only() -> None:
    body = b'{"message":"101"}'
    assert scrubbed(Response(200, {}, body), "1").body == body
    assert scrubbed(Response(400, {}, body), "1").body == b'{"message":"***0***"}'
