"""Which URLs may be connected to, and which may receive a credential."""

import re
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

import pytest
import yarl
from hypothesis import given, strategies as st

from aiopresence import ConnectionFailed, DecodeError, UsageError
from aiopresence.protocol.rest import Request
from aiopresence.protocol.urls import (
    check_server,
    follow,
    gateway_address,
    host_of,
    is_host,
    is_loopback,
    is_path,
    origin,
    webhook_address,
)

SERVER = "https://platform.example"
REQUEST = Request("GET", "/restapi/v1.0/account/~/presence", "Heavy", object)
PLATFORM = "https://platform.ringcentral.com"
DEVTEST = "https://platform.devtest.ringcentral.com"
LOOPBACK = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "server",
    [
        "https://platform.ringcentral.com",
        "https://platform.ringcentral.com/",
        "https://127.0.0.1:8443",
        "http://127.0.0.1:80",
        "http://localhost",
        "http://[::1]:5000",
    ],
)
def test_a_server_is_https_or_on_loopback(server: str) -> None:
    assert check_server(server) == server.rstrip("/")


@pytest.mark.parametrize(
    "server",
    [
        "",
        None,
        "platform.ringcentral.com",
        "http://platform.ringcentral.com",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
        "http://Xlocalhost",
        "http://localhostX",
        "ftp://localhost",
        "https://",
        "https://user@platform.ringcentral.com",
        "https://platform.ringcentral.com/restapi",
        "https://platform.ringcentral.com?x=1",
        "https://platform.ringcentral.com#x",
        "https://platform.ringcentral.com:99999",
        "https://platform.ringcentral.com:0",
        "https://plat form.example",
        "https://platform.example\r\nX: y",
        "https://plätform.example",
        "https://[::1",
        "https://[platform.example]",
        "https://platform.example.",
        "https://platform.ringcentral.com.",
        "https://platform..example",
        "https://.example",
        "https://.",
        "https://2130706433",
        "https://127.1",
        "https://0x7f.1",
        "https://192.168.257",
        "https://platform.ringcentral.com\\@evil.example",
        "https:\\\\platform.ringcentral.com",
        "https://platform.ringcentral.com\n",
        "https://platform.ringcentral.c\u043em",
        "https://platform\u3002ringcentral.com",
        "https://platform.ringcentral.com:\u0664\u0664\u0663",
        "https://[::::]",
        "https://[192.0.2.1]",
        "https://a..example",
        f"https://{'a' * 64}.example",
        "https://" + "a." * 127 + "example",
    ],
)
def test_other_servers_are_refused(server: Any) -> None:
    with pytest.raises(UsageError, match="server must be https"):
        check_server(server)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Platform.example", ("https", "platform.example", 443)),
        ("http://[::1]:8080", ("http", "::1", 8080)),
        ("ws://localhost", ("ws", "localhost", 0)),
        ("http://localhost", ("http", "localhost", 80)),
        ("https://localhost:0", ("https", "localhost", 0)),
        ("https:///x", ("https", "", 443)),
    ],
)
def test_an_origin_has_the_port_of_its_scheme(url: str, expected: tuple[str, str, int]) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("/restapi/v1.0/account/~/extension/1,2/presence", True),
        ("/restapi/v1.0/a%20b", True),
        ("/restapi/v1.0/..a/b..", True),
        ("restapi/v1.0", False),
        ("/restapi", False),
        ("/other", False),
        ("//evil.example/restapi/", False),
        ("https://evil.example/restapi/", False),
        ("/restapi/../x", False),
        ("/restapi/./x", False),
        ("/restapi/x/..", False),
        ("/restapi/%2e%2E/x", False),
        ("/restapi/..%2fx", False),
        ("/restapi/x%2F..%2Fx", False),
        ("/restapi/..;/x", False),
        ("/restapi/x?y=1", False),
        ("/restapi/x#y", False),
        ("/restapi/x y", False),
        ("/restapi/x\r\nA: b", False),
        ("/restapi/é", False),
        ("/restapi/%zz", False),
        ("/restapi/\\..\\x", False),
        (None, False),
        (b"/restapi/", False),
    ],
)
def test_a_path_is_in_the_api_and_can_be_sent_as_it_is(path: object, good: bool) -> None:
    assert is_path(path) is good


@pytest.mark.parametrize(
    ("link", "path", "params"),
    [
        ("/restapi/v1.0/x?page=2", "/restapi/v1.0/x", (("page", "2"),)),
        (f"{SERVER}/restapi/v1.0/x?a=b%20c&d=", "/restapi/v1.0/x", (("a", "b c"), ("d", ""))),
        ("https://PLATFORM.example:443/restapi/v1.0/x", "/restapi/v1.0/x", ()),
        ("?page=3", REQUEST.path, (("page", "3"),)),
        ("?a=\\b", REQUEST.path, (("a", "\\b"),)),
        ("x", "/restapi/v1.0/account/~/x", ()),
    ],
)
def test_links_on_the_same_server_are_followed(link: str, path: str, params: Any) -> None:
    request = follow(REQUEST, SERVER, link, "Location")
    assert (request.path, request.params, request.method) == (path, params, "GET")


@pytest.mark.fault
@pytest.mark.parametrize(
    "link",
    [
        "http://platform.example/restapi/x",
        "https://platform.example:8443/restapi/x",
        "https://evil.example/restapi/x",
        "//evil.example/restapi/x",
        "https://platform.example.evil.example/restapi/x",
        "https://platform.example@evil.example/restapi/x",
        "https://platform.example./restapi/x",
        "/other",
        "/restapi/../oauth/revoke",
        "/restapi/%2e%2e/x",
        "https://[/restapi/x",
        "https://platform.example:99999/restapi/x",
        "https://platform.example:0/restapi/x",
        "https://user@platform.example/restapi/x",
        "https://@platform.example/restapi/x",
        "https://evil.example\\@platform.example/restapi/x",
        "https:evil.example/restapi/x",
        "https:/restapi/x",
        "/\\evil.example/restapi/x",
        "\\\\evil.example/restapi/x",
        "javascript:alert(1)",
    ],
)
def test_links_elsewhere_are_not_followed(link: str) -> None:
    with pytest.raises(DecodeError) as caught:
        follow(REQUEST, SERVER, link, "Location")
    assert caught.value.path == "Location"
    assert "restapi" not in str(caught.value)


@given(st.text())
def test_no_link_leads_off_the_server(link: str) -> None:
    try:
        request = follow(REQUEST, SERVER, link, "Location")
    except DecodeError:
        return
    assert is_path(request.path)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("server", "uri"),
    [
        (PLATFORM, "wss://ws-api.ringcentral.com/ws"),
        (PLATFORM, "wss://ws-api.ringcentral.com:443/ws"),
        (PLATFORM, "wss://ringcentral.com"),
        (PLATFORM, "WSS://WS-API.RINGCENTRAL.COM/ws"),
        (PLATFORM, "wss://platform.ringcentral.com/a/b%20c"),
        (DEVTEST, "wss://ws-api.devtest.ringcentral.com/ws"),
        (DEVTEST, "wss://ws-api.ringcentral.com/ws"),
        ("https://api.example.com", "wss://ws-api.example.com/ws"),
        ("https://example.com", "wss://example.com/ws"),
        ("https://example.com", "wss://ws.example.com/ws"),
        ("https://api.example.co.uk", "wss://ws.example.co.uk/ws"),
        ("https://192.0.2.5", "wss://192.0.2.5/ws"),
        (LOOPBACK, "ws://127.0.0.1:9/ws"),
        (LOOPBACK, "ws://localhost:9/ws"),
        (LOOPBACK, "ws://[::1]:9/ws"),
        (LOOPBACK, "wss://127.0.0.1/ws"),
        ("https://localhost", "wss://localhost:9/ws"),
    ],
)
def test_a_gateway_on_the_server_s_domain_is_accepted(server: str, uri: str) -> None:
    assert gateway_address(uri, server) == uri


FOREIGN = [
    "ws://ws-api.ringcentral.com/ws",
    "https://ws-api.ringcentral.com/ws",
    "http://ws-api.ringcentral.com/ws",
    "//ws-api.ringcentral.com/ws",
    "ws-api.ringcentral.com/ws",
    "/ws",
    "",
    "wss:",
    "wss://",
    "wss:///ws",
    "wss:/ws-api.ringcentral.com",
    "wss://user@ws-api.ringcentral.com/ws",
    "wss://user:secret@ws-api.ringcentral.com/ws",
    "wss://@ws-api.ringcentral.com/ws",
    "wss://ws-api.ringcentral.com@evil.com/ws",
    "wss://ws-api.ringcentral.com:443@evil.com/ws",
    "wss://evil.com/ws",
    "wss://evil.com/.ringcentral.com",
    "wss://evil.com?.ringcentral.com",
    "wss://evil.com#.ringcentral.com",
    "wss://evil.com\\.ringcentral.com",
    "wss://ws-api.ringcentral.com.evil.com/ws",
    "wss://evilringcentral.com/ws",
    "wss://ringcentral.com.evil",
    "wss://ringcentral.co/ws",
    "wss://ringcentral.org/ws",
    "wss://com/ws",
    "wss://ws-api.ringcentral.com./ws",
    "wss://127.0.0.1/ws",
    "wss://localhost/ws",
    "wss://[::1]/ws",
    "wss://[::1/ws",
    "wss://192.0.2.1/ws",
    "wss://2130706433/ws",
    "wss://ws-api.ringcentral.com:8443/ws",
    "wss://ws-api.ringcentral.com:0/ws",
    "wss://ws-api.ringcentral.com:x/ws",
    "wss://ws-api.ringcentral.com:99999/ws",
    "wss://ws-api.ringcentral.com/ws?access_token=x",
    "wss://ws-api.ringcentral.com/ws#x",
    "wss://ws-api.ringcentral.com/ws?",
    "wss://ws-api.ringcentral.com/ws#",
    "wss://ws-api.ringcentral.com/ws\\x",
    "wss://ws-api.ringcentral.com/w s",
    "wss://ws-api.ringcentral.com/ws\r\nX: y",
    "wss://ws-api.ringcentral.com/\tws",
    "\nwss://ws-api.ringcentral.com/ws",
    " wss://ws-api.ringcentral.com/ws",
    "wss://ws-api.ringcentral.com/ws\x00",
    "wss://ws-api.ringcentral.com/\x7f",
    "wss://ws-api.ringcentral.com/ü",
    "wss://w\u017f.ringcentral.com/ws",
    "wss://evil\u3002com/.ringcentral.com",
    "wss://evil.com\\@ws-api.ringcentral.com/ws",
    "wss://ws-api..ringcentral.com/ws",
    "wss://.ringcentral.com/ws",
    "wss://ws-api.ringcentral.com%2eevil.com/ws",
    "wss://0x7f.1/ws",
    "wss://xn--ringcentral-ps6h.com/ws",
    "wss:\\\\ws-api.ringcentral.com/ws",
]


@pytest.mark.fault
@pytest.mark.parametrize("uri", FOREIGN)
def test_no_other_address_is_a_gateway(uri: str) -> None:
    for server in (PLATFORM, DEVTEST):
        with pytest.raises(ConnectionFailed) as caught:
            gateway_address(uri, server)
        assert caught.value.final
        assert not uri or uri not in str(caught.value)


@pytest.mark.fault
@pytest.mark.parametrize(
    "name", ["evil.com%2f", "a;b", "*", "a%00", "a,b", "evil.com&", "a.", ".", "a" * 64]
)
def test_a_host_name_that_no_host_can_have_is_refused(name: str) -> None:
    with pytest.raises(ConnectionFailed):
        gateway_address(f"wss://{name}.ringcentral.com/ws", PLATFORM)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("server", "uri"),
    [
        (LOOPBACK, "ws://192.0.2.1/ws"),
        (LOOPBACK, "ws://127.0.0.1.evil.com/ws"),
        (LOOPBACK, "ws://localhost.evil.com/ws"),
        (LOOPBACK, "wss://ws-api.ringcentral.com/ws"),
        (LOOPBACK, "http://127.0.0.1/ws"),
        (LOOPBACK, "ws://x@127.0.0.1/ws"),
        (LOOPBACK, "ws://127.0.0.1:0/ws"),
        (LOOPBACK, "ws://[127.0.0.1]/ws"),
        (LOOPBACK, "ws://[::1]x/ws"),
        (LOOPBACK, "ws://[::1]x:80/ws"),
        ("https://localhost", "ws://localhost/ws"),
        ("https://localhost", "wss://evil.com/ws"),
        ("https://api.example.com", "wss://ws-api.ringcentral.com/ws"),
        ("https://api.example.com", "wss://evilexample.com/ws"),
        ("https://example.com", "wss://other.com/ws"),
        ("https://example.com", "wss://com/ws"),
        ("https://proxy.co.uk", "wss://other.co.uk/ws"),
        # The neighbours of an address are not its domain.
        ("https://192.0.2.5", "wss://198.0.2.5/ws"),
        ("https://192.0.2.5", "wss://ws.0.2.5/ws"),
        ("https://[2001:db8::1]", "wss://[2001:db8::2]/ws"),
    ],
)
def test_a_gateway_of_another_server_is_refused(server: str, uri: str) -> None:
    with pytest.raises(ConnectionFailed):
        gateway_address(uri, server)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/hook?key=x",
        "https://example.com:8443",
        "http://localhost:8000/hook",
        "http://127.0.0.1/hook",
        "http://[::1]:8000/hook",
    ],
)
def test_a_webhook_address_is_https_or_on_loopback(address: str) -> None:
    assert webhook_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/hook",
        "https://",
        "https:///hook",
        "ftp://localhost/hook",
        "https://example.com:0/",
        "https://example.com:x/",
        "https://user:secret@example.com/",
        "https://@example.com/",
        "https://example.com\\@evil.example/",
        "https://example.com\\.evil.example/",
        "https:\\\\example.com/",
        "https://example.com/a b",
        "https://example.com/\ta",
        "https://example.com/\n",
        "https://exämple.com/",
        "https://[::1",
        "https://[example.com]/",
        "https://[2001:db8::1]example.com/",
        "https://a..example.com/",
        "https://exa\\mple.com/",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com/",
        "",
        None,
        5,
    ],
)
def test_a_webhook_address_is_https_without_a_user_name(address: Any) -> None:
    with pytest.raises(UsageError, match="address must be an https URL") as raised:
        webhook_address(address)
    assert "secret" not in str(raised.value)


def test_errors_say_what_an_address_must_be() -> None:
    with pytest.raises(UsageError) as caught:
        check_server("x")
    assert str(caught.value) == (
        "server must be https://host[:port], as in https://platform.ringcentral.com"
        " (http only for localhost)"
    )
    with pytest.raises(UsageError) as caught:
        webhook_address("x")
    assert str(caught.value) == (
        "address must be an https URL, as in https://example.com/webhook (http only for localhost)"
    )


@pytest.mark.parametrize(
    ("port", "good"), [(0, False), (1, True), (65535, True), (65536, False), (65537, False)]
)
def test_ports_of_servers(port: int, good: bool) -> None:
    server = f"https://platform.example:{port}"
    if good:
        assert check_server(server) == server
    else:
        with pytest.raises(UsageError):
            check_server(server)


def test_only_slashes_at_the_end_of_a_server_are_left_out() -> None:
    assert check_server("https://platform.example///") == "https://platform.example"
    assert check_server("https://platform.XX") == "https://platform.XX"


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("https://[/restapi/x", "the link is not a valid URL"),
        ("/restapi/x?a=\ud800", "the link is not a valid URL"),
        ("https://evil.example/restapi/x", "a link to another server is not followed"),
        ("/\\evil.example/restapi/x", "a link to another server is not followed"),
        ("/other", "a link out of the API is not followed"),
    ],
)
def test_why_a_link_is_not_followed(link: str, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        follow(REQUEST, SERVER, link, "$.uri")
    assert (caught.value.reason, caught.value.path) == (reason, "$.uri")


def test_only_what_is_new_in_a_link_is_secret() -> None:
    same = follow(REQUEST, SERVER, "?page=2", "Location")
    assert repr(same.path) == repr(REQUEST.path)
    assert repr(same.params) == "((***, ***),)"
    other = follow(REQUEST, SERVER, "/restapi/x", "Location")
    assert (other.path, repr(other.path)) == ("/restapi/x", "***")


def test_the_error_of_a_gateway_says_that_nothing_was_sent() -> None:
    with pytest.raises(ConnectionFailed) as caught:
        gateway_address("wss://evil.com", PLATFORM)
    assert str(caught.value) == (
        "the server returned a WebSocket address that is not wss on the server's own domain;"
        " not connected"
    )
    assert (caught.value.sent, caught.value.final) == (False, True)


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("a", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("a-b_c.example", True),
        ("_a.example", True),
        ("1.example", True),
        ("example.1", False),
        ("example.-a", False),
        ("a." * 123 + "example", True),
        ("aa." * 82 + "example", True),
        ("aa." * 82 + "example1", False),
        ("127.0.0.1", True),
        ("127.0.0.256", False),
        ("[::1]", True),
        ("::1", False),
        ("[::1", False),
        ("[127.0.0.1]", False),
        ("[::1x]", False),
        ("[]", False),
        ("", False),
    ],
)
def test_which_hosts_can_exist(host: str, good: bool) -> None:
    assert is_host(host) is good


@pytest.mark.parametrize(
    ("netloc", "host"),
    [
        ("a.example:443", "a.example"),
        ("u:p@a.example", "a.example"),
        ("[::1]:80", "[::1]"),
        ("[::1]x:80", "[::1]x"),  # which some versions of Python refuse to split
        ("u@v@a.example:", "a.example"),
        ("", ""),
    ],
)
def test_the_host_in_a_url(netloc: str, host: str) -> None:
    assert host_of(SplitResult("https", netloc, "/x", "", "")) == host


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.9.9.9", True), ("::1", True), ("LOCALHOST", False), ("", False)],
)
def test_what_this_machine_is(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


# Parts of addresses in which parsers of URLs may differ, put together in any order.
_PIECES = [
    *("https:", "http:", "wss:", "ws:", "HTTPS:", "//", "/", "\\", "@", ":", ".", "?", "#", "%2e"),
    *("%40", "%2f", "%5c", "\t", "\n", " ", "\0", "[", "]", "::1", "\u3002", "\u017f", "\uff0e"),
    *("platform", "ringcentral", "com", "ws-api", "evil", "example", "localhost", "127.0.0.1"),
    *("443", "8443", "0", "2130706433", "0x7f", "xn--", "user", "/restapi/v1.0/x", "/ws", "~", "-"),
]
_MIXED = st.lists(st.sampled_from(_PIECES), max_size=10).map("".join)
_GOOD = st.sampled_from(
    ["https://platform.ringcentral.com", "wss://ws-api.ringcentral.com", "https://localhost", ""]
)
URLS = st.builds(str.__add__, _GOOD, _MIXED) | _MIXED | st.text()


@given(URLS)
def test_whoever_parses_an_accepted_server_finds_the_same_host(url: str) -> None:
    try:
        server = check_server(url)
    except UsageError:
        return
    parsed = yarl.URL(server)
    assert (parsed.user, parsed.password, parsed.path, parsed.query_string) == (None, None, "/", "")
    assert (parsed.scheme, parsed.host, parsed.port) == origin(server)
    assert server.lower().startswith(f"{parsed.scheme}://{parsed.host_subcomponent}")
    assert not (parsed.host or ".").endswith(".")
    assert parsed.scheme == "https" or is_loopback(parsed.host or "")


@given(URLS)
def test_whoever_parses_an_accepted_gateway_finds_a_host_of_the_domain(url: str) -> None:
    try:
        parsed = yarl.URL(gateway_address(url, PLATFORM), encoded=True)
    except ConnectionFailed:
        return
    assert (parsed.scheme, parsed.port, parsed.user) == ("wss", 443, None)
    assert f".{parsed.host}".endswith(".ringcentral.com")
    # As browsers do: a backslash is a slash, and the host ends at the first one.
    host = url.lower().replace("\\", "/").removeprefix("wss://").partition("/")[0]
    assert re.sub(":(443)?$", "", host) == parsed.host


@given(URLS)
def test_whatever_the_link_a_request_stays_on_its_server(link: str) -> None:
    for text in (link, f"{SERVER}{link}"):
        try:
            request = follow(REQUEST, SERVER, text, "Location")
        except DecodeError:
            continue
        url = yarl.URL(f"{SERVER}{request.path}?{urlencode(request.params)}", encoded=True)
        assert (url.scheme, url.host, url.port, url.user) == (
            "https",
            "platform.example",
            443,
            None,
        )
        assert is_path(url.raw_path)


@given(URLS)
def test_whoever_parses_an_accepted_webhook_finds_the_same_host(url: str) -> None:
    try:
        parsed = yarl.URL(webhook_address(url), encoded=True)
    except UsageError:
        return
    host = urlsplit(url).hostname
    assert (parsed.host, parsed.user) == (host, None)
    assert parsed.scheme == "https" or is_loopback(host or "")
