"""The kinds of faults. Each is a value that many rules can use; see `Faults.add`."""

import asyncio
import zlib
from collections.abc import Callable, Iterable, Mapping
from types import UnionType

import attrs

from ..errors import UsageError
from . import argument_checks
from .exchange import Exchange
from .responses import JSON_TYPE, Headers, Reply, dump, error_body

_STATUSES = (100, 999)


def _check_bytes(name: str, value: object) -> None:
    if not isinstance(value, bytes):
        raise UsageError(f"{name} must be bytes, not {argument_checks.shown(value)}")


def _check_headers(pairs: object, kind: type | UnionType) -> None:
    if not isinstance(pairs, Iterable):
        raise UsageError(f"headers must be a mapping, or pairs, not {argument_checks.shown(pairs)}")
    for pair in pairs:
        match pair:
            case (str(), value) if isinstance(value, kind):
                pass
            case _:
                raise UsageError(f"headers must have text, not {argument_checks.shown(pair)}")


@attrs.frozen
class Answer:
    """This answer instead of the real one; the request has no effect.

    Args:
        status: any number.
        body: the bytes of the body.
        headers: the headers, as a mapping, or as pairs where one name comes twice. They replace
            those that every answer carries.
        bare: without the request id and rate limit headers that every answer carries.
    """

    status: int
    body: bytes = b""
    headers: Headers = attrs.field(factory=dict)
    bare: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        argument_checks.whole("status", self.status, *_STATUSES)
        _check_bytes("body", self.body)
        pairs = self.headers.items() if isinstance(self.headers, Mapping) else self.headers
        _check_headers(pairs, str)
        argument_checks.flag("bare", self.bare)

    @classmethod
    def error(
        cls,
        status: int,
        error_code: str,
        message: str = "Refused by the sandbox",
        parameter_name: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> "Answer":
        """Make an answer with an error body as RingCentral writes it.

        Args:
            status: the HTTP status.
            error_code: such as "CMN-102".
            message: text for people.
            parameter_name: the parameter at fault, or None.
            headers: more headers, such as Retry-After.
        """
        for name, value in (("error_code", error_code), ("message", message)):
            argument_checks.text(name, value)
        argument_checks.text("parameter_name", parameter_name, none=True)
        body = dump(error_body(error_code, message, parameter_name))
        return cls(status, body, {"Content-Type": JSON_TYPE, **(headers or {})})

    async def apply(self, exchange: Exchange) -> Reply | None:
        """Answer with it."""
        reply = Reply(self.status, self.body, self.headers)
        if not self.bare:
            exchange.dress(reply)
        return reply


@attrs.frozen
class Redirect:
    """A redirection.

    Args:
        location: the Location header.
        status: 301, 302, 303, 307 or 308.
    """

    location: str
    status: int = 302

    def __attrs_post_init__(self) -> None:
        argument_checks.text("location", self.location)
        argument_checks.whole("status", self.status, *_STATUSES)

    async def apply(self, exchange: Exchange) -> Reply | None:
        """Answer with it."""
        return await Answer(self.status, headers={"Location": self.location}).apply(exchange)


@attrs.frozen
class Change:
    """The real answer, changed. Content-Length fits the new body.

    Args:
        function: makes the new body from the real one; None leaves it.
        headers: headers to put in place of the real ones; None as a value leaves one out.
        status: the new status; None leaves it.
    """

    function: Callable[[bytes], bytes] | None = None
    headers: Mapping[str, str | None] = attrs.field(factory=dict, kw_only=True)
    status: int | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        argument_checks.function("function", self.function, none=True)
        argument_checks.mapping("headers", self.headers)
        _check_headers(self.headers.items(), str | None)
        argument_checks.whole("status", self.status, *_STATUSES, none=True)

    async def apply(self, exchange: Exchange) -> Reply | None:
        """Change the answer."""
        real = exchange.real()
        body = real.body if self.function is None else self.function(real.body)
        reply = Reply(self.status or real.status, body, real.headers)
        for name, value in self.headers.items():
            reply.headers.popall(name, None)
            if value is not None:
                reply.headers[name] = value
        return reply


@attrs.frozen
class Gzip:
    """A small body that inflates to a very large one.

    Args:
        times: to how many bytes it inflates.
    """

    times: int

    def __attrs_post_init__(self) -> None:
        argument_checks.whole("times", self.times)

    async def apply(self, exchange: Exchange) -> Reply | None:
        """Answer with it. It is made a megabyte at a time: the bomb is for the client."""
        packer = zlib.compressobj(9, wbits=31)
        megabytes, rest = divmod(self.times, 2**20)
        packed = [packer.compress(bytes(2**20)) for _ in range(megabytes)]
        packed += [packer.compress(bytes(rest)), packer.flush()]
        headers = {"Content-Type": JSON_TYPE, "Content-Encoding": "gzip"}
        return await Answer(200, b"".join(packed), headers).apply(exchange)


@attrs.frozen
class Delay:
    """The real answer, late.

    Args:
        seconds: how late. The request takes effect when the time is over.
    """

    seconds: float

    def __attrs_post_init__(self) -> None:
        argument_checks.seconds("seconds", self.seconds, zero=True)

    async def apply(self, exchange: Exchange) -> Reply | None:
        """Wait, then answer."""
        await exchange.pause(self.seconds)
        return exchange.real()


@attrs.frozen
class Hang:
    """No answer for as long as the client and the sandbox are there; the request has no effect."""

    async def apply(self, exchange: Exchange) -> Reply | None:
        """Wait for the sandbox to close; a client that leaves ends the wait as well."""
        await exchange.pause(None)
        return None


@attrs.frozen
class Reset:
    """A TCP reset before any byte of an answer.

    Args:
        after_handling: the request has taken effect by then.
    """

    after_handling: bool = False

    def __attrs_post_init__(self) -> None:
        argument_checks.flag("after_handling", self.after_handling)

    async def apply(self, exchange: Exchange) -> Reply | None:
        """Reset the connection."""
        if self.after_handling:
            exchange.real()
        exchange.reset()
        return None


@attrs.frozen
class Truncate:
    """The real answer, cut off inside its body.

    Args:
        after: how many bytes of the body get through.
        declared: with the Content-Length of the whole. Without it the end of the connection is
            the end of the body, and HTTP cannot tell that anything is missing.
    """

    after: int
    declared: bool = True

    def __attrs_post_init__(self) -> None:
        argument_checks.whole("after", self.after)
        argument_checks.flag("declared", self.declared)

    async def apply(self, exchange: Exchange) -> Reply | None:
        """Send the beginning of the answer."""
        reply = exchange.real()
        head = exchange.head(reply, len(reply.body) if self.declared else None)
        exchange.write(head + reply.body[: self.after])
        return None


@attrs.frozen
class Raw:
    """Bytes of your own, instead of an HTTP answer; the request has no effect.

    Args:
        data: the bytes, status line included if there is to be one.
    """

    data: bytes

    def __attrs_post_init__(self) -> None:
        _check_bytes("data", self.data)

    async def apply(self, exchange: Exchange) -> Reply | None:
        """Send the bytes."""
        exchange.write(self.data)
        return None


@attrs.frozen
class Slice:
    """The real answer in writes of one byte; for bodies of a few kilobytes."""

    async def apply(self, exchange: Exchange) -> Reply | None:
        """Send the answer byte by byte, head included, with a turn of the loop after each."""
        reply = exchange.real()
        for byte in exchange.head(reply, len(reply.body)) + reply.body:
            exchange.write(bytes([byte]))
            await asyncio.sleep(0)
        return None


@attrs.frozen
class Drip:
    """The real answer's headers at once, then its body a byte at a time.

    Args:
        interval: seconds between two bytes.
    """

    interval: float

    def __attrs_post_init__(self) -> None:
        argument_checks.seconds("interval", self.interval, zero=True)

    async def apply(self, exchange: Exchange) -> Reply | None:
        """Send the answer slowly."""
        reply = exchange.real()
        exchange.write(exchange.head(reply, len(reply.body)))
        for byte in reply.body:
            if exchange.closing.is_set():
                break
            exchange.write(bytes([byte]))
            await exchange.pause(self.interval)
        return None
