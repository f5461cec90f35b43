"""TLS in front of a sandbox, with certificates of an authority of its own, and a proxy to it."""

import asyncio
import datetime
import ssl
import warnings
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aiopresence.sandbox import Sandbox

# Its name cannot be resolved: it is reached through a proxy only.
HOST = "presence.invalid"
SERVER = f"https://{HOST}"


@attrs.frozen
class Authority:
    """A certificate authority, and servers' certificates that it has, or has not, issued.

    Attributes:
        folder: for their files.
        key: the key of all of them.
    """

    folder: Path
    key: ec.EllipticCurvePrivateKey = attrs.field(
        factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def file(self) -> Path:
        """A file with the certificate of the authority."""
        return self._file("authority", "authority", "authority")

    def context(self) -> ssl.SSLContext:
        """Return what a client passes to trust the authority."""
        return ssl.create_default_context(cafile=self.file)

    def server(
        self,
        host: str = HOST,
        *,
        issuer: str = "authority",
        days: int = 1,
        strict: bool = True,
        start: int = -1,
        old: bool = False,
    ) -> ssl.SSLContext:
        """Return the TLS of a server.

        Args:
            host: whose certificate it is.
            issuer: who issued it.
            days: how long it is valid from its start; 0 has expired.
            strict: whether it has all that RFC 5280 requires, and Python from 3.13.
            start: in how many days from now it begins to be valid.
            old: whether it knows no TLS above 1.1.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        name = f"{host}-{issuer}-{days}-{strict}-{start}"
        context.load_cert_chain(self._file(name, host, issuer, days, strict, start))
        if old:
            with warnings.catch_warnings(action="ignore"):
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("ALL:@SECLEVEL=0")
        return context

    def _file(
        self,
        name: str,
        subject: str,
        issuer: str,
        days: int = 1,
        strict: bool = True,
        start: int = -1,
    ) -> Path:
        path = self.folder / f"{name}.pem"
        if not path.exists():
            path.write_bytes(self._pem(subject, issuer, days, strict, start))
        return path

    def _pem(self, subject: str, issuer: str, days: int, strict: bool, start: int) -> bytes:
        begin = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=start)
        public, is_authority = self.key.public_key(), subject == "authority"
        certificate = (
            x509.CertificateBuilder(
                _name(issuer), _name(subject), public, x509.random_serial_number()
            )
            .not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(days=days, hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        if strict:
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
            certificate = certificate.add_extension(identifier, critical=False)
        if is_authority:
            certificate = certificate.add_extension(_SIGNS, critical=True)
        return certificate.sign(self.key, hashes.SHA256()).public_bytes(
            serialization.Encoding.PEM
        ) + self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


_SIGNS = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


@attrs.define
class Tunnel:
    """A server of bare sockets that passes connections on to a port of this machine.

    Attributes:
        target: the port.
        is_proxy: whether a client has to ask for the connection with CONNECT.
        targets: other ports, for hosts that a client asks for by name.
        login: the "user:password" it has to know, or None.
        answer: what is sent in place of a connection, or None.
        port: where it listens.
        heads: the requests for a connection, as text.
        received: how many bytes clients have sent to the target.
    """

    target: int
    is_proxy: bool = False
    targets: dict[str, int] = attrs.field(factory=dict)
    login: str | None = None
    answer: bytes | None = None
    port: int = 0
    heads: list[str] = attrs.field(factory=list)
    received: int = 0
    _writers: list[asyncio.StreamWriter] = attrs.field(factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            if not self.is_proxy or await self._admits(reader, writer):
                await self._pass_on(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _admits(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        expected = f"proxy-authorization: basic {b64encode((self.login or '').encode()).decode()}"
        answer = self.answer
        if self.login is not None and expected.lower() not in head.lower().split("\r\n"):
            answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n" if answer is None else answer)
        await writer.drain()
        return answer is None

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = self.heads[-1].split(" ")[1].partition(":")[0] if self.heads else ""
        port = self.targets.get(host, self.target)
        its_reader, its_writer = await asyncio.open_connection("127.0.0.1", port)
        self._writers.append(its_writer)
        await asyncio.gather(
            self._copy(reader, its_writer, count=True), self._copy(its_reader, writer)
        )

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, count: bool = False
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                self.received += len(data) * count
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    def stop(self) -> None:
        """End all connections."""
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def listening(tunnel: Tunnel, tls: ssl.SSLContext | None = None) -> AsyncIterator[Tunnel]:
    """Run a tunnel on a free port of the loopback interface."""
    server = await asyncio.start_server(tunnel, "127.0.0.1", 0, ssl=tls)
    tunnel.port = server.sockets[0].getsockname()[1]
    async with server:
        try:
            yield tunnel
        finally:
            tunnel.stop()


@asynccontextmanager
async def encrypted(sandbox: Sandbox, tls: ssl.SSLContext) -> AsyncIterator[Tunnel]:
    """Run TLS in front of a sandbox, which calls itself `SERVER` from now on."""
    port = int(sandbox.url.rpartition(":")[2])
    sandbox._state.url = SERVER
    async with listening(Tunnel(port), tls) as tunnel:
        yield tunnel
