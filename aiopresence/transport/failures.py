"""What aiohttp's errors mean.

None of them is raised, nor chained: some print the Authorization header.
"""

import aiohttp
import attrs
from yarl import URL

from ..errors import ConnectionFailed, Timeout, TransportError, one_line


@attrs.define
class Attempts:
    """What aiohttp has done for one request.

    Attributes:
        count: how often it was about to connect and send.
        sent: whether any of it may have reached the server.
        proxy: the proxy it used, or None.
    """

    count: int = 0
    sent: bool = False
    proxy: URL | None = None


def transport_error(
    error: Exception, host: str, attempts: Attempts, *, write: bool
) -> TransportError:
    """Return the error to raise for one of aiohttp's.

    Args:
        error: aiohttp's, or the operating system's.
        host: the server, port included.
        attempts: what was done before it.
        write: whether the request may change something.
    """
    sent = attempts.sent
    if isinstance(error, TimeoutError):
        return Timeout(f"{host} took too long: {type(error).__name__}")
    if isinstance(error, (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch)):
        return ConnectionFailed(
            f"no trusted TLS connection to {host}: check the server's certificate",
            sent=sent,
            final=True,
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        is_proxy = isinstance(error, aiohttp.ClientProxyConnectionError)
        whom = f"the proxy {_address(attempts.proxy)}" if is_proxy else host
        why = getattr(error, "strerror", None) or type(error.os_error).__name__
        return ConnectionFailed(f"cannot connect to {whom}: {one_line(str(why))}", sent=sent)
    if attempts.proxy is not None and not sent:
        return ConnectionFailed(_refused_by_proxy(error, host, attempts.proxy), sent=False)
    broke = f"the connection to {host} broke"
    if not sent:
        return ConnectionFailed(f"{broke} before anything was sent", sent=False)
    advice = "; a write may have been applied, so read before writing again" if write else ""
    return ConnectionFailed(broke + advice)


def _refused_by_proxy(error: Exception, host: str, proxy: URL) -> str:
    whom = f"the proxy {_address(proxy)}"
    if not isinstance(error, aiohttp.ClientHttpProxyError):
        return f"{whom} gave no connection to {host}: nothing was sent"
    advice = ", check the proxy's user name and password" if error.status == 407 else ""
    return f"{whom} refused to connect to {host} with HTTP {error.status}: nothing was sent{advice}"


def _address(proxy: URL | None) -> str:
    """Return the host and port of a proxy, without the password that its URL may hold."""
    return one_line(f"{proxy.host}:{proxy.port}") if proxy is not None else "of the system"
