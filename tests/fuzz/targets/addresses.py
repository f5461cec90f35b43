"""Ids, paths, links and addresses: what may be connected to, and what may receive a credential."""

from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from yarl import URL

from aiopresence import AccountPresenceInfo, ConnectionFailed, DecodeError, UsageError
from aiopresence.ids import is_id, parse_id
from aiopresence.models import PresenceNavigationInfo, PresenceNavigationInfoURI, PresencePagingInfo
from aiopresence.protocol import endpoints, paging, urls
from aiopresence.protocol.endpoints import ReadOptions
from aiopresence.proxies import parse_proxy
from tests.fuzz.checks import check_error
from tests.fuzz.choices import Choices, mutated_text
from tests.fuzz.documents import SECRET, any_value

SERVERS = (
    *("https://platform.ringcentral.com", "http://localhost:8080", "https://[::1]:443"),
    *("https://platform.example.co.uk", "http://127.0.0.1", "https://a.b", "https://192.0.2.1"),
)
HOSTS = (
    *("platform.ringcentral.com", "evil.test", "localhost", "[::1]", "127.0.0.1", "a..b"),
    *("platform.ringcentral.com.evil.test", "xn--9ca.test", "192.0.2.1", "[::ffff:127.0.0.1]"),
    *("x" * 64 + ".test", "evil.test\\@platform.ringcentral.com", "[1.2.3.4]", "0x7f.1", "."),
    *("[::1]x", "[fe80::1%25eth0]", "xn--9.ringcentral.com"),
)
SCHEMES = ("https", "http", "wss", "ws", "HTTPS", "file", "")
PATH = "/restapi/v1.0/account/~/presence"
PATHS = (
    *(PATH, "/restapi/v1.0/account/123/presence", "/restapi/v1.0/account/~/extension", "/ws", "/"),
    *("/restapi/../oauth/revoke", "/restapi/%2e%2e/x", "/restapi/a%2fb", "?page=3", "#x", ""),
)
QUERIES = ("?page=2", "?page=2&perPage=100", "?page=-1", "?page=\u0661", f"?x={SECRET}", "#f", "")
REQUEST = endpoints.read_account_presence(ReadOptions(), page=1)


def addresses(data: bytes) -> None:
    """An address that is accepted means the same to the library that connects, and is safe."""
    choices = Choices(data)
    server = choices.pick(SERVERS)
    url = _url(choices)
    for check in (_check_server, _check_proxy, _check_webhook):
        check(url)
    _check_gateway(url, server)
    _check_link(url, server)


def ids_and_paths(data: bytes) -> None:
    """An id is digits or refused, and a path is sent as it is or refused."""
    choices = Choices(data)
    values = ["101", 101, "~", "0", "9" * 19, 2**63, True, 1.5, "1,2", "\u0661", "1\n", None]
    id_: Any = choices.pick(values) if choices.flag() else mutated_text(choices, "101")
    account: Any = mutated_text(choices, "~") if choices.rarely() else "~"
    _check_ids(account, [id_, "102"][: 1 + choices.below(2)])
    path = mutated_text(choices, choices.pick(PATHS))
    params: Any = {mutated_text(choices, "page"): any_value(choices)}
    try:
        request = endpoints.custom_request("GET", path, params, any_value(choices))
    except UsageError as error:
        check_error(error) if SECRET not in repr((path, params)) else None
        return
    _check_path(request.path)


def _check_ids(account: Any, ids: list[Any]) -> None:
    with suppress(UsageError):
        for id_ in ids:
            parsed = parse_id(id_, "x", tilde=True)
            assert parsed == "~" or (is_id(parsed) and parsed.isascii() and parsed.isdigit())
    try:
        request = endpoints.read_user_presence_status(ReadOptions(account), ids)
    except UsageError:
        return
    *_, name, of_account, middle, joined, last = request.path.split("/")
    assert (name, middle, last) == ("account", "extension", "presence")
    assert all(each == "~" or (each.isascii() and each.isdigit()) for each in joined.split(","))
    assert of_account == "~" or (of_account.isascii() and of_account.isdigit())
    _check_path(request.path)


def _check_path(path: str) -> None:
    """Check that a path is in the API, whoever resolves it."""
    assert path.startswith("/restapi/")
    assert path.isascii()
    assert path.isprintable()
    assert not set(path) & set(' ?#\\"<>')
    assert URL(f"https://x.test{path}", encoded=True).raw_path == path
    segments = path.lower().replace("%2f", "/").replace("%5c", "/").replace("%2e", ".").split("/")
    assert not {".", ".."} & {each.partition(";")[0] for each in segments}


def _url(choices: Choices) -> str:
    host = choices.pick(HOSTS)
    user = choices.pick(("user:pass@", "@", f"{SECRET}@")) if choices.rarely() else ""
    port = choices.pick((":443", ":0", ":99999", ":", ":\u0661")) if choices.rarely() else ""
    url = f"{choices.pick(SCHEMES)}://{user}{host}{port}"
    if choices.rarely():
        url = choices.pick(("", "//" + host, "///", "http:" + host, host))
    return mutated_text(choices, url + choices.pick(PATHS) + choices.pick(QUERIES))


def _check_server(url: str) -> None:
    for text in (url, url.partition("/restapi")[0]):
        try:
            server = urls.check_server(text)
        except UsageError as error:
            check_error(error)
            continue
        _check_host(server, ("https", "http"))
        assert URL(server).scheme == "https" or _is_loopback(URL(server).raw_host)
        host = urls.origin(server)[1]
        assert ":" in host or host == (URL(server).raw_host or "").lower()


def _check_proxy(url: str) -> None:
    for text in (url, url.partition("/restapi")[0]):
        try:
            proxy = parse_proxy(text, "proxy")
        except UsageError as error:
            check_error(error)
            continue
        _check_host(proxy.url, ("http",))
        assert SECRET not in repr(proxy) + proxy.address or SECRET not in text.split("@")[0]
        assert all(value.isascii() and value.isprintable() for value in proxy.headers.values())


def _check_webhook(url: str) -> None:
    try:
        address = urls.webhook_address(url)
    except UsageError as error:
        check_error(error)
        return
    _check_host(address, ("https", "http"))


def _check_gateway(url: str, server: str) -> None:
    try:
        uri = urls.gateway_address(url, server)
    except ConnectionFailed as error:
        check_error(error)
        return
    _check_host(uri, ("wss", "ws"))
    gateway, base = URL(f"{uri}?access_token=x", encoded=True), URL(server)
    host = gateway.raw_host or ""
    if _is_loopback(base.host):
        assert _is_loopback(host)
        return
    assert gateway.scheme == "wss"
    assert gateway.port == 443
    domain = "ringcentral.com" if server == SERVERS[0] else base.host or ""
    parent = domain.partition(".")[2]
    is_sibling = domain == "platform.example.co.uk" and host.endswith(f".{parent}")
    assert host == domain or host.endswith(f".{domain}") or is_sibling


def _check_link(url: str, server: str) -> None:
    try:
        followed = urls.follow(REQUEST, server, url, "$.link")
    except DecodeError as error:
        check_error(error)
    else:
        _check_path(followed.path)
    navigation = PresenceNavigationInfo(next_page=PresenceNavigationInfoURI(uri=url))
    page = AccountPresenceInfo(records=(), paging=PresencePagingInfo(page=1), navigation=navigation)
    try:
        after = paging.next_page(REQUEST, page, server)
    except DecodeError as error:
        check_error(error)
        return
    if after is not None:
        assert after.path == REQUEST.path
        assert int(dict(after.params)["page"]) > 1


def _check_host(url: str, schemes: tuple[str, ...]) -> None:
    """Check that yarl accepts a URL, and that its host can be looked up."""
    parsed = URL(url, encoded=True)
    assert parsed.scheme in schemes
    assert parsed.raw_host
    assert 0 < (parsed.port or 0) < 65_536
    name = parsed.raw_host or ""
    if ":" not in name:
        name.encode("idna")  # as socket.getaddrinfo does


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
