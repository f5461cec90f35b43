"""One board in Redis: its keys, and the operations of its script."""

from collections.abc import Sequence
from math import inf
from typing import Any

import attrs

from ..errors import RedisFailed
from ..protocol.board_replica import NEVER, Version, format_version, parse_version
from .connection import Connection, load_script

SCRIPT = load_script("board")

# How long Redis keeps a board that nobody follows any more, in milliseconds.
KEPT_FOR_MS = 86_400_000
# Records in one part of a snapshot: about 250,000 bytes.
SCAN_COUNT = 500
# Entries of the stream that are read at once: they are applied without a pause.
READ_COUNT = 10

Entry = tuple[Version, dict[bytes, bytes]]


@attrs.frozen
class Look:
    """How a board is, according to Redis.

    Attributes:
        fence: the fence of the last follower.
        last: the version of the last entry; NEVER if anything of the board is missing.
        lease_left: the seconds until there is no follower, unless it renews its lease.
        age: the seconds since anything was received from RingCentral; inf if nothing was.
        status: the status as JSON; empty if there is none.
    """

    fence: int
    last: Version
    lease_left: float
    age: float
    status: bytes


@attrs.frozen
class Claim:
    """The answer to a claim.

    Attributes:
        fence: the number of this follower; None if there is another one.
        before: the version of the last entry before; NEVER if the board begins anew.
        wait: the seconds until the other one has to renew its lease.
    """

    fence: int | None
    before: Version = NEVER
    wait: float = 0.0


class BoardKeys:
    """The keys of one board, with all that is done with them.

    Args:
        connection: the connection to Redis.
        owner: identifies the board.
        keep: the number of entries that the stream keeps.
        timeout: the seconds that a command may take.

    Every method raises RedisFailed if Redis does not do it.
    """

    def __init__(self, connection: Connection, owner: str, keep: int, timeout: float) -> None:
        self._connection = connection
        names = ("lease", "fence", "records", "stream", "meta")
        self.keys = [connection.key(owner, "board", name) for name in names]
        self._keep = keep
        self._timeout = timeout

    async def claim(self, holder: str, lease: float, seen: Version) -> Claim:
        """Become the follower, if there is none.

        Args:
            holder: identifies this process.
            lease: the seconds after which another one may.
            seen: the newest version that is known here.
        """
        args = ("claim", holder, _ms(lease), format_version(seen), self._keep, KEPT_FOR_MS)
        reply = await self._run(*args)
        match reply:
            case [b"held", int(left)]:
                return Claim(None, wait=left / 1000)
            case [b"ok", bytes(fence), bytes(before)] if fence.isdigit():
                return Claim(int(fence), parse_version(before) or NEVER)
        raise _unexpected()

    async def publish(self, args: Sequence[str | bytes | int]) -> Version | None:
        """Publish a status and records, and renew the lease.

        Returns:
            The version of the last entry; None if the lease is lost, or what was published.
        """
        return parse_version(await self._run("publish", *args))

    def publication(
        self,
        holder: str,
        lease: float,
        before: Version,
        *,
        silence: float,
        status: bytes = b"",
        entries: Sequence[bytes] = (),
    ) -> tuple[str | bytes | int, ...]:
        """Return the arguments of `publish`, which are to be sent again if its reply is lost.

        Args:
            holder: identifies this process.
            lease: the seconds after which another one may follow; 0 for at once.
            before: the version of the last entry.
            silence: the seconds since anything was received from RingCentral.
            status: the status; empty if it is not known yet.
            entries: ids and their states, in turn.
        """
        version = format_version((before[0], before[1] + 1))
        age = "" if silence == inf else _ms(silence)
        ends = _ms(lease)
        return (
            *(holder, ends, format_version(before), version, self._keep, KEPT_FOR_MS, age, status),
            *entries,
        )

    async def look(self, seen: Version) -> Look:
        """Return how the board is; `seen` is the newest version that is known here."""
        match await self._run("look", format_version(seen)):
            case [bytes(fence), bytes(last), int(left), bytes(age), bytes(status)] if (
                fence.isdigit() and len(fence) < 17
            ):
                silence = parse_ms(age)
                heard = inf if silence is None else silence
                version = parse_version(last) or NEVER
                return Look(int(fence), version, left / 1000, heard, status)
        raise _unexpected()

    async def scan(self, cursor: bytes) -> tuple[bytes, list[bytes]]:
        """Return a part of the records as ids and states in turn, and where the next part begins.

        It begins and ends with b"0".
        """
        match await self._run("scan", cursor, SCAN_COUNT):
            case [bytes(after), list(items)] if len(items) % 2 == 0 and all(
                isinstance(item, bytes) for item in items
            ):
                return after, items
        raise _unexpected()

    async def remove(self, fields: Sequence[bytes]) -> None:
        """Remove records that cannot be read; the follower publishes them again."""
        await self._run("remove", *fields)

    async def read(self, after: Version, seconds: float) -> list[Entry]:
        """Return the entries after a version; wait for some if there are none.

        It may return none before the seconds are over.
        """
        seconds = min(seconds, self._connection.longest_block)
        position = format_version(after) or "0-0"
        stream = self.keys[3]
        wait = max(1, _ms(seconds))
        command = ("XREAD", "COUNT", READ_COUNT, "BLOCK", wait, "STREAMS", stream, position)
        reply = await self._connection.call(*command, timeout=seconds + self._timeout)
        return [entry for each in _entries(reply) if (entry := _entry(each)) is not None]

    async def _run(self, *args: str | bytes | int) -> Any:
        return await self._connection.script(SCRIPT, self.keys, args)


def parse_ms(text: bytes) -> float | None:
    """Return milliseconds in seconds; None if the text is no number of them."""
    return int(text) / 1000 if len(text) < 16 and text.isdigit() else None


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _unexpected() -> RedisFailed:
    return RedisFailed("Redis returned something unexpected for a board")


def _entries(reply: Any) -> list[Any]:
    """Return the entries in a reply to XREAD for one stream, whose form depends on the client."""
    match [*reply.items()] if isinstance(reply, dict) else reply or []:
        case []:
            return []
        case [[bytes() | str(), list(entries)]]:
            match entries:
                case [[[*_], *_] as nested]:  # With redis-py's callbacks and RESP3.
                    return list(nested)
            return entries
    raise _unexpected()


def _entry(item: Any) -> Entry | None:
    match item:
        case [bytes() | str() as text, dict(fields)]:
            pairs = [*fields.items()]
        case [bytes() | str() as text, [*fields]]:
            pairs = [*zip(fields[::2], fields[1::2], strict=False)]
        case _:
            return None
    version = parse_version(_bytes(text))
    if version is None:
        return None
    return version, {_bytes(name): _bytes(value) for name, value in pairs}


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise _unexpected()
