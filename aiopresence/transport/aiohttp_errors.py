"""The library's errors for those of aiohttp.

aiohttp's own errors are never raised, nor chained: some of them hold the Authorization header.
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
        sent: whether any of the request may have reached the server.
        proxy: the proxy it used, or None.
    """

    count: int = 0
    sent: bool = False
    proxy: URL | None = None


def transport_error(
    error: Exception, host: str, attempts: Attempts, *, write: bool
) -> TransportError:
    """Return the error to raise for one of aiohttp or of the operating system.

    Args:
        error: the error.
        host: the host of the server, with the port if there is one.
        attempts: what aiohttp did before it.
        write: whether the request may change something.
    """
    sent = attempts.sent
    if isinstance(error, TimeoutError):
        return Timeout(f"timeout of the connection to {host} ({type(error).__name__})")
    if isinstance(error, (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch)):
        message = f"TLS connection to {host} is not trusted: check the server's certificate"
        return ConnectionFailed(message, sent=sent, final=True)
    if isinstance(error, aiohttp.ClientConnectorError):
        is_proxy = isinstance(error, aiohttp.ClientProxyConnectionError)
        target = f"the proxy {_address(attempts.proxy)}" if is_proxy else host
        reason = getattr(error, "strerror", None) or type(error.os_error).__name__
        return ConnectionFailed(f"cannot connect to {target}: {one_line(str(reason))}", sent=sent)
    if attempts.proxy is not None and not sent:
        return ConnectionFailed(_proxy_message(error, host, attempts.proxy), sent=False)
    if not sent:
        return ConnectionFailed(
            f"connection to {host} lost before the request was sent", sent=False
        )
    advice = "; a write may have been applied, so read before writing again" if write else ""
    return ConnectionFailed(f"connection to {host} lost before the response was complete{advice}")


def _proxy_message(error: Exception, host: str, proxy: URL) -> str:
    """Return the message for a proxy that did not connect to the server."""
    if not isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy {_address(proxy)} did not connect to {host}: nothing was sent"
    advice = ", check the proxy's user name and password" if error.status == 407 else ""
    return (
        f"the proxy {_address(proxy)} refused to connect to {host} with HTTP {error.status}:"
        f" nothing was sent{advice}"
    )


def _address(proxy: URL | None) -> str:
    """Return the host and port of a proxy, without the password that its URL may hold."""
    return one_line(f"{proxy.host}:{proxy.port}") if proxy is not None else "of the system"
