"""Certificates and versions of TLS that must not be accepted in place of those of a Redis."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from aiopresence import RedisFailed
from aiopresence.redis.connection import Connection
from tests.support.redis_servers import RedisServer
from tests.support.tls import Authority, Tunnel, listening

PASSWORD = "the-password-of-this-redis"
WRONG: dict[str, Callable[[Authority], ssl.SSLContext]] = {
    "expired": lambda ca: ca.server("localhost", days=0),
    "not yet valid": lambda ca: ca.server("localhost", start=1),
    "of another host": lambda ca: ca.server("not-localhost"),
    "self-signed": lambda ca: ca.server("localhost", issuer="localhost"),
    "of an unknown issuer": lambda ca: ca.server("localhost", issuer="unknown"),
    "TLS 1.1": lambda ca: ca.server("localhost", old=True),
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@asynccontextmanager
async def connecting(
    authority: Authority, tls: ssl.SSLContext, port: int
) -> AsyncIterator[tuple[Tunnel, Connection]]:
    """Run TLS in front of a port, and connect to it as a user with a password does."""
    async with listening(Tunnel(port), tls) as front:
        url = f"rediss://user:{PASSWORD}@localhost:{front.port}?ssl_ca_certs={authority.file}"
        async with Connection(url, timeout=5.0) as connection:
            yield front, connection


@pytest.mark.parametrize("wrong", WRONG)
async def test_no_password_and_no_command_is_sent(authority: Authority, wrong: str) -> None:
    async with connecting(authority, WRONG[wrong](authority), port=9) as (front, connection):
        with pytest.raises(RedisFailed) as caught:
            await connection.call("PING")
        assert front.received == 0
    assert PASSWORD not in str(caught.value)


async def test_a_certificate_of_the_authority_is_accepted(
    authority: Authority, server: RedisServer
) -> None:
    server.command("ACL", "SETUSER", "user", "on", f">{PASSWORD}", "~*", "+@all")
    tls = authority.server("localhost")
    async with connecting(authority, tls, server.port) as (front, connection):
        assert await connection.call("ECHO", "hello") == b"hello"
        assert front.received > 0
