"""A server that answers each command of Redis with the same bytes, whatever they are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs

# What redis-py sends before the first command.
_SETUP = (b"AUTH", b"CLIENT", b"SELECT")


@attrs.define
class FakeRedis:
    """Attributes: url: the address of the server; commands: the names of those it has answered."""

    reply: bytes
    url: str = ""
    commands: list[bytes] = attrs.field(factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                arguments = []
                for _ in range(int(line[1:])):
                    size = int((await reader.readline())[1:])
                    arguments.append((await reader.readexactly(size + 2))[:-2])
                if arguments[0] in _SETUP:
                    writer.write(b"+OK\r\n")
                else:
                    self.commands.append(arguments[0])
                    writer.write(self.reply)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def fake_redis(reply: bytes) -> AsyncIterator[FakeRedis]:
    """Run one on a free port of the loopback interface."""
    fake = FakeRedis(reply)
    server = await asyncio.start_server(fake, "127.0.0.1", 0)
    fake.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield fake
