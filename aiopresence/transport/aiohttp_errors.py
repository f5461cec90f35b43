"""The library's errors for those of aiohttp.

aiohttp's own errors are never raised, nor chained: some of them hold the Authorization header.
"""

import aiohttp
import attrs
from yarl import URL

from ..errors import ConnectionFailed, Timeout, TransportError, one_line

# What to do about a certificate, by OpenSSL's code: see X509_V_ERR_… in its x509_vfy.h.
_CERTIFICATE_ADVICE = (
    ((62, 64), "check the address of the server"),  # of another host, or of another IP address
    # What RFC 5280 requires, and certificates of companies often lack.
    (
        range(80, 94),
        "Python from 3.13 requires that; if the authority cannot issue a better certificate, pass"
        " an ssl.SSLContext without ssl.VERIFY_X509_STRICT as ssl=",
    ),
)
_UNKNOWN_ISSUER = (
    "if it was issued by an authority of your own, or by a proxy that decrypts connections, set"
    " SSL_CERT_FILE to a file with the certificate of that authority, or pass"
    " ssl=ssl.create_default_context(cafile=…)"
)
# What to check when a proxy refuses for good, by status.
_PROXY_ADVICE = {
    403: ", the proxy has to allow this host",
    405: ", the proxy has to allow CONNECT",
    407: ", check the proxy's user name and password",
}


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
        return ConnectionFailed(_tls_message(error, host), sent=sent, final=True)
    if isinstance(error, aiohttp.ClientConnectorError):
        return ConnectionFailed(_connect_message(error, host, attempts.proxy), sent=sent)
    if attempts.proxy is not None and not sent:
        return _proxy_error(error, host, attempts.proxy)
    if not sent:
        return ConnectionFailed(
            f"connection to {host} lost before the request was sent", sent=False
        )
    advice = "; a write may have been applied, so read before writing again" if write else ""
    return ConnectionFailed(f"connection to {host} lost before the response was complete{advice}")


def _tls_message(error: Exception, host: str) -> str:
    """Return the message for a certificate that is not trusted, or a handshake that failed."""
    if not isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error, "reason", None) or type(error).__name__
        return f"no TLS connection to {host}: {one_line(str(reason))}"
    invalid = error.certificate_error
    reason = str(getattr(invalid, "verify_message", None) or type(invalid).__name__).rstrip(".")
    code = getattr(invalid, "verify_code", None)
    advice = next((text for codes, text in _CERTIFICATE_ADVICE if code in codes), _UNKNOWN_ISSUER)
    return f"the certificate of {host} is not trusted: {one_line(reason)}; {advice}"


def _connect_message(error: aiohttp.ClientConnectorError, host: str, proxy: URL | None) -> str:
    """Return the message for a server, or a proxy, with which there is no connection."""
    reason = getattr(error, "strerror", None) or type(error.os_error).__name__
    reason = one_line(str(reason))
    if proxy is None:
        return f"cannot connect to {host}: {reason}"
    # The name of the server is looked up by the proxy: only its own may not have been found here.
    names = (aiohttp.ClientProxyConnectionError, aiohttp.ClientConnectorDNSError)
    if not isinstance(error, names):
        return f"cannot connect to {host} through the proxy {_address(proxy)}: {reason}"
    advice = "check its address, which is set with proxy= or HTTPS_PROXY"
    return f"cannot connect to the proxy {_address(proxy)}: {reason}; {advice}"


def _proxy_error(error: Exception, host: str, proxy: URL) -> ConnectionFailed:
    """Return the error for a proxy that did not connect to the server."""
    if not isinstance(error, aiohttp.ClientHttpProxyError):
        message = f"the proxy {_address(proxy)} did not connect to {host}: nothing was sent"
        return ConnectionFailed(message, sent=False)
    refused = f"the proxy {_address(proxy)} refused to connect to {host} with HTTP {error.status}"
    advice = _PROXY_ADVICE.get(error.status, "")
    # The proxy's rules and passwords do not change between two attempts.
    return ConnectionFailed(
        f"{refused}: nothing was sent{advice}", sent=False, final=error.status in _PROXY_ADVICE
    )


def _address(proxy: URL | None) -> str:
    """Return the host and port of a proxy, without the password that its URL may hold."""
    return one_line(f"{proxy.raw_host}:{proxy.port}") if proxy is not None else "of the system"
