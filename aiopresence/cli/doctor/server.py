"""The check of the connection to the server: names, proxy, certificate."""

import asyncio
import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from ...proxies import Proxy, environment_proxy, is_excepted
from .context import CheckContext, CheckFailed

# Seconds for one response of the server.
RESPONSE_TIMEOUT = 10.0
# OpenSSL's codes for what RFC 5280 requires of certificates; see its x509_vfy.h.
_STRICT = range(80, 94)


async def server(context: CheckContext) -> str:
    """Connect to the server as sessions do: name resolution, proxy, connection, TLS."""
    host, began = urlsplit(context.server).netloc, time.monotonic()
    proxy = _proxy_for(context.server)
    through = f"through the proxy {proxy.address}" if proxy else ""
    try:
        async with (
            asyncio.timeout(RESPONSE_TIMEOUT),
            aiohttp.ClientSession() as http,
            http.get(
                f"{context.server}/restapi/v1.0",
                allow_redirects=False,
                proxy=proxy.url if proxy else None,
                proxy_headers=proxy.headers if proxy else None,
            ) as response,
        ):
            if date := response.headers.get("Date"):
                context.date = (date, time.time())
            status = response.status
    except TimeoutError:
        hint = "" if proxy else "; if it is reached through a proxy, set HTTPS_PROXY"
        raise CheckFailed(
            f"no response from {f'{host} {through}'.strip()} within {RESPONSE_TIMEOUT:g} s: check"
            f" the network{hint}"
        ) from None
    except aiohttp.ClientError as error:
        raise CheckFailed(_problem(host, proxy, error)) from None
    if status >= 500:
        raise CheckFailed(f"HTTP {status} from {host}: see https://status.ringcentral.com")
    security = "TLS" if context.server.startswith("https:") else "no TLS (local server)"
    milliseconds = f"{(time.monotonic() - began) * 1000:.0f} ms"
    return ", ".join(filter(None, [host, through, security, milliseconds]))


def _proxy_for(server: str) -> Proxy | None:
    url, proxy = urlsplit(server), environment_proxy(server)
    return None if proxy and is_excepted(url.hostname or "", url.port) else proxy


def _problem(host: str, proxy: Proxy | None, error: aiohttp.ClientError) -> str:
    """Return what kept the server from being reached, and what to do."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate_problem(host, error)
    if isinstance(error, aiohttp.ClientSSLError):
        return f"no TLS connection to {host}: check RC_SERVER_URL"
    if proxy is not None:
        return f"HTTPS_PROXY is set to {proxy.address}, {_proxy_problem(host, proxy, error)}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return (
            f"cannot resolve {host}: check RC_SERVER_URL and the network; if it is reached through"
            " a proxy, set HTTPS_PROXY"
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {host}: check RC_SERVER_URL, the network and the firewall"
    return f"connection to {host} lost ({type(error).__name__}): try again"


def _proxy_problem(host: str, proxy: Proxy, error: aiohttp.ClientError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "which cannot be resolved: check the name"
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, ConnectionRefusedError):
            return "which refused the connection: check the address"
        return f"which cannot be reached ({error.strerror}): check the address and the network"
    if not isinstance(error, aiohttp.ClientHttpProxyError):
        return f"which ended the connection ({type(error).__name__}): check the address"
    if error.status != 407:
        return (
            f"which refused to connect to {host} (HTTP {error.status}): it has to allow that, or"
            " NO_PROXY has to name the host if it can be reached directly"
        )
    if proxy.headers:
        return "which did not accept the user name and password in it (HTTP 407)"
    return (
        "which requires a user name and password (HTTP 407): set it to"
        f" http://user:password@{proxy.address}"
    )


def _certificate_problem(host: str, error: aiohttp.ClientConnectorCertificateError) -> str:
    reason = getattr(error.certificate_error, "verify_message", "").rstrip(".")
    file = os.environ.get("SSL_CERT_FILE")
    if getattr(error.certificate_error, "verify_code", 0) in _STRICT:
        advice = "Python from 3.13 requires that: use a better certificate, or Python 3.12"
    elif not file:
        advice = "if a proxy or an authority of your own issued it, set SSL_CERT_FILE to a file"
        advice += " with the certificate of that authority"
    elif Path(file).is_file():
        advice = (
            f"SSL_CERT_FILE is set to {file}, which does not have the certificate of its issuer"
        )
    else:
        advice = f"SSL_CERT_FILE is set to {file}, which is not a file"
    return f"the certificate of {host} is not trusted ({reason}): {advice}"
