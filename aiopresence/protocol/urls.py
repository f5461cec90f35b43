"""Decide which URLs may be connected to, and which of them may receive a credential.

This is the one module to review for token leaks and request forgery (SSRF). Four kinds of address
reach the library; each has one function that accepts it, or refuses it without quoting it, because
a URL may hold a secret.

1. The *server*, from the caller: `check_server`. It receives the client secret, the access token
   and every request, so it is https with a host and nothing else; plain http is for loopback,
   where the sandbox runs.
2. *Paths and links*. `is_path` accepts a path that can be sent byte for byte: within the API,
   percent-encoded, and without a dot segment that a proxy could resolve to another path. `follow`
   accepts a link from a response (a redirect, the next page) only if it has the origin (scheme,
   host and port) of the server: the access token is sent along.
3. The *WebSocket gateway*, from the response to the token request: `gateway_address`. It is on
   another host by design, and receives a WebSocket token in its query. So it has to be on the
   server's domain, encrypted, and on the usual port. A server on loopback may only name loopback,
   and no other server may: the response must not make us connect to services of this machine.
4. The *webhook address*, from the caller: `webhook_address`. We never connect to it; RingCentral
   does, and sends the verification token there, so it is https or loopback.
"""

import re
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import SplitResult, parse_qsl, urlencode, urljoin, urlsplit

import attrs

from ..errors import ConnectionFailed, DecodeError, UsageError
from ..redaction import Secret
from .rest import Request

T_co = TypeVar("T_co", covariant=True)

_SERVER = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+])(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)
# A host name: no label is empty, not even after a last dot, which would make the top-level domain
# look like a part of the name; and the last one has a letter first, or it is read as an IP address,
# such as 127.1 or 0x7f.1. DNS allows labels of 63 characters, and names of 253; names in private
# networks may have an underscore.
_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_-]{1,63}\.)*[a-z_][a-z0-9_-]{0,62}", re.ASCII | re.IGNORECASE
)
_PORT = re.compile(r":[0-9]*\Z", re.ASCII)
# What RFC 3986 allows in a path, without segments that a proxy would resolve to another path.
_PATH = re.compile(r"/restapi/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_DOT_SEGMENT = re.compile(r"(?:/|%2f|%5c)(?:\.|%2e){1,2}(?:[/;]|%2f|%5c|$)", re.IGNORECASE)
# Characters that URL parsers disagree about; RFC 3986 allows none of them.
_AMBIGUOUS = frozenset(' \\"<>^`{|}')
# Second-level domains under which anyone can register a name. Recognized by their form, because
# a list of them would have to be kept up to date.
_PUBLIC_SUFFIX = re.compile(r"(?:ac|co|com|edu|gov|net|or|org)\.[a-z]{2}")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_server(server: object) -> str:
    """Return the address of a server without a trailing slash.

    Raises:
        UsageError: it is not https with a host and an optional port. Plain http is accepted for
            loopback only.
    """
    text = server.rstrip("/") if isinstance(server, str) else ""
    match = _SERVER.fullmatch(text)
    if not (match and _is_safe(match["scheme"], match["host"], match["port"])):
        raise UsageError(
            "server must be https://host[:port], as in https://platform.ringcentral.com"
            " (http only for localhost)"
        )
    return text


def _is_safe(scheme: str, host: str, port: str | None) -> bool:
    is_encrypted = scheme == "https" or is_loopback(host.strip("[]"))
    return is_host(host) and is_encrypted and 0 < int(port or 443) < 65536


def is_host(host: str) -> bool:
    """Return whether a host, as it stands in a URL, is an IP address or a name to be looked up."""
    if host.startswith("["):
        return host.endswith("]") and ":" in host and _is_ip_address(host[1:-1])
    return bool(_NAME.fullmatch(host)) or (":" not in host and _is_ip_address(host))


def host_of(parts: SplitResult) -> str:
    """Return the host of a URL as it stands there: an IPv6 address is in brackets.

    `urlsplit` ignores what stands between a closing bracket and the port.
    """
    return _PORT.sub("", parts.netloc.rpartition("@")[2])


def is_loopback(host: str) -> bool:
    """Return whether a host name or address, without brackets, is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def origin(url: str) -> tuple[str, str, int]:
    """Return the scheme, host and port of a URL; the port is 0 if neither URL nor scheme has one.

    Raises:
        ValueError: it is not a URL.
    """
    parts = urlsplit(url)
    default = _DEFAULT_PORTS.get(parts.scheme, 0)
    return parts.scheme, parts.hostname or "", default if parts.port is None else parts.port


def is_path(path: object) -> bool:
    """Return whether a path is in the API and can be sent as it is: encoded, without a query."""
    return isinstance(path, str) and bool(_PATH.fullmatch(path)) and not _DOT_SEGMENT.search(path)


def follow(request: Request[T_co], server: str, link: str, where: str) -> Request[T_co]:
    """Return the request that a link in the response to another request leads to.

    Args:
        request: the request whose response has the link.
        server: the server it was sent to.
        link: an absolute or relative URL.
        where: the place of the link in the response, for the message.

    Raises:
        DecodeError: it leads to another server, or out of the API.
    """
    link = Secret(link)
    reason, path, params = _resolve(server, request.path, link)
    if reason:
        raise DecodeError(reason, where)
    return attrs.evolve(request, path=path, params=params)


def _resolve(
    server: str, path: str, link: str
) -> tuple[str, str, tuple[tuple[Secret, Secret], ...]]:
    """Return why a link is not followed, or "", and its path and query.

    It raises nothing: a link may hold a secret, and tracebacks can show local variables.
    """
    nothing = Secret(), ()
    try:
        url = urljoin(server + path, link)
        target = urlsplit(url)
        is_same_origin = _is_plain_link(link) and origin(url) == origin(server)
        params = tuple((Secret(n), Secret(v)) for n, v in parse_qsl(target.query, True))
        urlencode(params)  # A lone surrogate, for one, cannot be encoded.
    except ValueError:
        return "the link is not a valid URL", *nothing
    if not is_same_origin:
        return "a link to another server is not followed", *nothing
    if not is_path(target.path):
        return "a link out of the API is not followed", *nothing
    # A path that is known already, as that of the next page is, holds no secret of the link.
    return "", path if target.path == path else Secret(target.path), params


def _is_plain_link(link: str) -> bool:
    """Return whether every URL parser finds the same host in a link, or none; ValueError: no URL.

    Some parsers take a backslash for a slash, or "https:host" for "https://host".
    """
    parts = urlsplit(link)
    is_whole = bool(parts.netloc) or not parts.scheme
    return is_whole and "@" not in parts.netloc and "\\" not in link.partition("?")[0]


def gateway_address(uri: str, server: str) -> str:
    """Return the address of a WebSocket gateway if a WebSocket token may be sent there.

    Args:
        uri: the address in the response to the token request.
        server: the server that sent the response.

    Raises:
        ConnectionFailed: it is not on the server's domain, or not encrypted. `final` is True.
    """
    if not _is_gateway(uri, server):
        raise ConnectionFailed(
            "the server returned a WebSocket address that is not wss on the server's own domain;"
            " not connected",
            sent=False,
            final=True,
        )
    return uri


def _is_gateway(uri: str, server: str) -> bool:
    try:
        gateway, base = urlsplit(uri), urlsplit(server)
        port = gateway.port
    except ValueError:
        return False
    if not _is_unambiguous(uri, gateway) or "?" in uri or "#" in uri or port == 0:
        return False
    host, base_host = gateway.hostname or "", base.hostname or ""
    if base.scheme == "http":
        return gateway.scheme in ("ws", "wss") and is_loopback(host)
    if gateway.scheme != "wss":
        return False
    if is_loopback(base_host):
        return is_loopback(host)
    return port in (None, 443) and _is_on_domain_of(host, base_host)


def _is_unambiguous(uri: str, parts: SplitResult) -> bool:
    """Return whether every URL parser finds the same valid host: no user, no odd character."""
    is_plain = uri.isascii() and uri.isprintable() and _AMBIGUOUS.isdisjoint(uri)
    return is_plain and "@" not in parts.netloc and is_host(host_of(parts))


def _is_on_domain_of(host: str, server: str) -> bool:
    """Return whether a host is the server, or in the domain of its owner."""
    if _is_ip_address(server):
        return host == server
    domain, parent = server, server.partition(".")[2]
    if server.endswith(".ringcentral.com"):
        domain = "ringcentral.com"
    elif "." in parent and not _PUBLIC_SUFFIX.fullmatch(parent):
        domain = parent  # A sibling is accepted: ws-api.example.com for platform.example.com.
    return host == domain or host.endswith(f".{domain}")


def _is_ip_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def webhook_address(address: object) -> str:
    """Return the address of a webhook if RingCentral may send notifications there.

    Raises:
        UsageError: it is not an https URL with a host and without a user name. Plain http is
            accepted for loopback only. The message does not quote it: its query may be secret.
    """
    if isinstance(address, str) and _is_webhook(address):
        return address
    raise UsageError(
        "address must be an https URL, as in https://example.com/webhook (http only for localhost)"
    )


def _is_webhook(address: str) -> bool:
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError:
        return False
    if not _is_unambiguous(address, url) or url.fragment or port == 0:
        return False
    return url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname or ""))
