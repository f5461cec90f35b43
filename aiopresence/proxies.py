"""HTTP proxies: their addresses and passwords, and the one that the environment names.

Connections are encrypted through the proxy: it is asked with CONNECT for a connection to the
server, and sees its host name only. Source: RFC 9110, section 9.3.6.
"""

from base64 import b64encode
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import attrs

from .errors import UsageError
from .protocol.urls import host_of, is_host, is_loopback
from .redaction import Secret


@attrs.frozen
class Proxy:
    """A proxy.

    Attributes:
        url: its address, without user name and password.
        headers: the headers that show the user name and password to it.
        secrets: what must not be shown.
    """

    url: str
    headers: dict[str, Secret] = attrs.field(factory=dict, repr=False)
    secrets: tuple[Secret, ...] = attrs.field(default=(), repr=False)

    @property
    def address(self) -> str:
        """Its host and port."""
        return urlsplit(self.url).netloc


def parse_proxy(url: object, name: str) -> Proxy:
    """Return the proxy with a URL.

    Args:
        url: `http://host:port`, or with `user:password@`, percent-encoded, before the host.
            "http://" may be left out, as it may in the variables of the environment.
        name: what the URL was given as, for the message.

    Raises:
        UsageError: it is no such URL. The message does not quote it.
    """
    proxy = _parse(Secret(url)) if isinstance(url, str) else None
    if proxy is None:
        raise UsageError(
            f"{name} must be http://[user:password@]host[:port] (encrypted connections go through"
            " an HTTP proxy; https and socks proxies are not supported)"
        )
    return proxy


def environment_proxy(server: str) -> Proxy | None:
    """Return the proxy that HTTPS_PROXY names, or None, as always for a server on loopback.

    Args:
        server: the address of a server.

    Raises:
        UsageError: it is not the URL of an HTTP proxy.
    """
    url = Secret(getproxies().get("https", ""))
    if not url or is_loopback(urlsplit(server).hostname or ""):
        return None
    return parse_proxy(url, "HTTPS_PROXY")


def is_excepted(host: str, port: int | None) -> bool:
    """Return whether NO_PROXY has a host, which is then connected to directly."""
    return bool(proxy_bypass(f"{host}:{port or 443}"))


def _parse(url: str) -> Proxy | None:
    """Return the proxy, or None; it raises nothing, so that no traceback shows the URL."""
    try:
        parts = urlsplit(Secret(url if "://" in url else f"http://{url}"))
        port = parts.port
    except ValueError:
        return None
    host, is_plain = host_of(parts), url.isascii() and url.isprintable() and " " not in url
    if not (is_plain and is_host(host) and port != 0) or parts.scheme != "http":
        return None
    if parts.path.strip("/") or parts.query or parts.fragment:
        return None
    return _with_credentials(f"http://{host.lower()}:{port or 80}", parts)


def _with_credentials(url: str, parts: SplitResult) -> Proxy:
    if not parts.username:
        return Proxy(url)
    user, password = unquote(parts.username), Secret(unquote(parts.password or ""))
    basic = Secret(b64encode(f"{user}:{password}".encode()).decode())
    return Proxy(url, {"Proxy-Authorization": Secret(f"Basic {basic}")}, (basic, password))
