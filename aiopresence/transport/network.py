"""How connections are made: through which proxy, and which certificates they trust."""

from ssl import CERT_REQUIRED, PROTOCOL_TLS_SERVER, SSLContext, TLSVersion
from typing import TypedDict

import attrs
from yarl import URL

from ..errors import UsageError
from ..protocol.urls import is_loopback
from ..proxies import Proxy, environment_proxy, is_excepted, parse_proxy
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
        has_exceptions: whether hosts in NO_PROXY are connected to directly.
        ssl: decides which certificates are trusted; None for OpenSSL's defaults.
    """

    proxy: Proxy | None = None
    has_exceptions: bool = False
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
        return cls(environment_proxy(server) if trust_env else None, trust_env, context)

    def options(self, url: URL) -> ConnectOptions:
        """Return the arguments with which aiohttp connects to a URL."""
        options: ConnectOptions = {"ssl": self.ssl or True}
        proxy = self.proxy
        if proxy is not None and url.scheme in {"https", "wss"} and not self._is_excepted(url):
            options["proxy"], options["proxy_headers"] = URL(proxy.url), proxy.headers
        return options

    def _is_excepted(self, url: URL) -> bool:
        return self.has_exceptions and is_excepted(url.raw_host or "", url.port)

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
    if is_loopback(URL(server).raw_host or ""):
        return ssl
    if ssl.verify_mode != CERT_REQUIRED or not ssl.check_hostname:
        raise UsageError(
            "ssl must verify the certificate and the host name: to trust another authority, pass"
            " ssl.create_default_context(cafile=…)"
        )
    # Where OpenSSL's own defaults hold, as on Debian, it is MINIMUM_SUPPORTED, which is below all;
    # their security level excludes the old versions.
    if TLSVersion.MINIMUM_SUPPORTED < ssl.minimum_version < TLSVersion.TLSv1_2:
        raise UsageError("ssl must not allow versions below TLS 1.2: set its minimum_version")
    return ssl
