"""How connections are made: through which proxy, and which certificates they trust."""

from ssl import CERT_REQUIRED, PROTOCOL_TLS_SERVER, SSLContext, TLSVersion
from typing import TypedDict
from urllib.request import getproxies, proxy_bypass

import attrs
from yarl import URL

from ..errors import UsageError
from ..protocol.proxy import Proxy, parse_proxy
from ..protocol.urls import is_loopback
from ..redaction import Secret


class ConnectOptions(TypedDict, total=False):
    """The arguments of aiohttp that say how to connect."""

    ssl: SSLContext | bool
    proxy: URL
    proxy_headers: dict[str, Secret]


@attrs.frozen
class Network:
    """How the connections of one session are made. `Network()` makes them directly.

    Attributes:
        proxy: the proxy of encrypted connections, or None.
        is_ambient: whether the environment named the proxy: then it also names hosts that are
            connected to directly, and loopback is.
        ssl: decides which certificates are trusted; None for OpenSSL's defaults.
    """

    proxy: Proxy | None = None
    is_ambient: bool = False
    ssl: SSLContext | None = None

    @classmethod
    def create(cls, proxy: object, ssl: object, trust_env: object, server: str) -> "Network":
        """Return the network for the arguments of a session.

        Args:
            proxy: the URL of a proxy, or None.
            ssl: an SSLContext, or None.
            trust_env: whether the environment is asked for a proxy, if there is none.
            server: the address of the server, as `check_server` returned it.

        Raises:
            UsageError: an argument is wrong, or HTTPS_PROXY.
        """
        if type(trust_env) is not bool:
            raise UsageError("trust_env must be True or False")
        context = None if ssl is None else _checked(ssl, server)
        if proxy is not None:
            return cls(parse_proxy(proxy, "proxy"), ssl=context)
        url = Secret(getproxies().get("https", "") if trust_env else "")
        ambient = parse_proxy(url, "HTTPS_PROXY") if url else None
        return cls(ambient, is_ambient=trust_env, ssl=context)

    def options(self, url: URL) -> ConnectOptions:
        """Return the arguments with which aiohttp connects to a URL."""
        options: ConnectOptions = {"ssl": self.ssl or True}
        proxy = self.proxy
        if proxy is not None and url.scheme in {"https", "wss"} and not self._is_direct(url):
            options["proxy"], options["proxy_headers"] = URL(proxy.url), proxy.headers
        return options

    def _is_direct(self, url: URL) -> bool:
        host = url.host or ""
        return self.is_ambient and (is_loopback(host) or bool(proxy_bypass(f"{host}:{url.port}")))

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must not be shown."""
        return self.proxy.secrets if self.proxy is not None else ()


def _checked(ssl: object, server: str) -> SSLContext:
    """Return an SSLContext that protects a connection to a server."""
    if not isinstance(ssl, SSLContext) or ssl.protocol == PROTOCOL_TLS_SERVER:
        raise UsageError(
            "ssl must be an ssl.SSLContext for clients, as ssl.create_default_context() makes it,"
            " or None"
        )
    if is_loopback(URL(server).host or ""):
        return ssl
    if ssl.verify_mode != CERT_REQUIRED or not ssl.check_hostname:
        raise UsageError(
            "ssl must verify the certificate and the host name: to trust another authority, pass"
            " ssl.create_default_context(cafile=…)"
        )
    if ssl.minimum_version < TLSVersion.TLSv1_2:
        raise UsageError("ssl must not allow versions below TLS 1.2: set its minimum_version")
    return ssl
