"""The kinds of faults: values to pass to `Faults.add`, each of which many rules may use.

To add a kind, write a class with an `apply` method here and list it in `__init__`.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterable, Mapping
from types import UnionType

import attrs

from ..errors import UsageError
from . import argument_checks
from .exchange import Exchange
from .responses import JSON_TYPE, Headers, Response, dump, error_body

_STATUSES = (100, 999)


def _check_bytes(name: str, value: object) -> None:
    if not isinstance(value, bytes):
        raise UsageError(f"{name} must be bytes, not {argument_checks.shown(value)}")


def _check_headers(pairs: object, kind: type | UnionType) -> None:
    if not isinstance(pairs, Iterable):
        raise UsageError(f"headers must be a mapping or pairs, not {argument_checks.shown(pairs)}")
    for pair in pairs:
        match pair:
            case (str(), value) if isinstance(value, kind):
                pass
            case _:
                raise UsageError(
                    f"headers must have str names and values, not {argument_checks.shown(pair)}"
                )


@attrs.frozen
class Answer:
    """Respond with this in place of the real response; the request takes no effect.

    Args:
        status: the status, 100 to 999.
        body: the body.
        headers: the headers, as a mapping, or as pairs if a name occurs twice. They take
            precedence over the request id and rate limit headers that every response has.
        bare: whether those standard headers are left out.
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
        """Return an Answer with an error body in RingCentral's format.

        Args:
            status: the HTTP status.
            error_code: the error code, such as "CMN-102".
            message: the error message.
            parameter_name: the parameter at fault; None to leave it out.
            headers: more headers, such as Retry-After; None for none.

        Raises:
            UsageError: an argument has the wrong type, or the status is out of range.
        """
        for name, value in (("error_code", error_code), ("message", message)):
            argument_checks.text(name, value)
        argument_checks.text("parameter_name", parameter_name, none=True)
        body = dump(error_body(error_code, message, parameter_name))
        return cls(status, body, {"Content-Type": JSON_TYPE, **(headers or {})})

    async def apply(self, exchange: Exchange) -> Response | None:
        """Return the response."""
        response = Response(self.status, self.body, self.headers)
        if not self.bare:
            exchange.add_standard_headers(response)
        return response


@attrs.frozen
class Redirect:
    """Redirect; the request takes no effect.

    Args:
        location: the Location header.
        status: the status, such as 301, 302, 303, 307 or 308.
    """

    location: str
    status: int = 302

    def __attrs_post_init__(self) -> None:
        argument_checks.text("location", self.location)
        argument_checks.whole("status", self.status, *_STATUSES)

    async def apply(self, exchange: Exchange) -> Response | None:
        """Return the redirect."""
        return await Answer(self.status, headers={"Location": self.location}).apply(exchange)


@attrs.frozen
class Change:
    """Respond with the real response, changed. Content-Length is that of the new body.

    Args:
        function: returns the new body for the real one; None keeps the body.
        headers: headers that replace the real ones; None as a value removes one.
        status: the new status, 100 to 999; None keeps the status.
    """

    function: Callable[[bytes], bytes] | None = None
    headers: Mapping[str, str | None] = attrs.field(factory=dict, kw_only=True)
    status: int | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        argument_checks.function("function", self.function, none=True)
        argument_checks.mapping("headers", self.headers)
        _check_headers(self.headers.items(), str | None)
        argument_checks.whole("status", self.status, *_STATUSES, none=True)

    async def apply(self, exchange: Exchange) -> Response | None:
        """Return the changed response."""
        real = exchange.real()
        body = real.body if self.function is None else self.function(real.body)
        response = Response(self.status or real.status, body, real.headers)
        for name, value in self.headers.items():
            response.headers.popall(name, None)
            if value is not None:
                response.headers[name] = value
        return response


@attrs.frozen
class Gzip:
    """Respond 200 with a small compressed body that decompresses to a very large one.

    The request takes no effect.

    Args:
        times: the size of the decompressed body in bytes.
    """

    times: int

    def __attrs_post_init__(self) -> None:
        argument_checks.whole("times", self.times)

    async def apply(self, exchange: Exchange) -> Response | None:
        """Return the response, compressed a megabyte at a time to save memory here."""
        packer = zlib.compressobj(9, wbits=31)
        megabytes, rest = divmod(self.times, 2**20)
        packed = [packer.compress(bytes(2**20)) for _ in range(megabytes)]
        packed += [packer.compress(bytes(rest)), packer.flush()]
        headers = {"Content-Type": JSON_TYPE, "Content-Encoding": "gzip"}
        return await Answer(200, b"".join(packed), headers).apply(exchange)


@attrs.frozen
class Delay:
    """Wait, then handle the request and respond.

    Args:
        seconds: how long, 0 or more. The request takes effect after that.
    """

    seconds: float

    def __attrs_post_init__(self) -> None:
        argument_checks.seconds("seconds", self.seconds, zero=True)

    async def apply(self, exchange: Exchange) -> Response | None:
        """Wait, then return the real response."""
        await exchange.pause(self.seconds)
        return exchange.real()


@attrs.frozen
class Hang:
    """Send nothing until the client disconnects or the sandbox closes.

    The request takes no effect.
    """

    async def apply(self, exchange: Exchange) -> Response | None:
        """Wait for the sandbox to close. aiohttp cancels the wait if the client disconnects."""
        await exchange.pause(None)
        return None


@attrs.frozen
class Reset:
    """Reset the TCP connection before the first byte of a response.

    Args:
        after_handling: whether the request takes effect first.
    """

    after_handling: bool = False

    def __attrs_post_init__(self) -> None:
        argument_checks.flag("after_handling", self.after_handling)

    async def apply(self, exchange: Exchange) -> Response | None:
        """Reset the connection."""
        if self.after_handling:
            exchange.real()
        exchange.reset()
        return None


@attrs.frozen
class Truncate:
    """Cut the real response off within its body, and close the connection.

    Args:
        after: how many bytes of the body are sent.
        declared: whether the response has the Content-Length of the whole body. Without it the
            end of the connection ends the body, and HTTP does not show that it is incomplete.
    """

    after: int
    declared: bool = True

    def __attrs_post_init__(self) -> None:
        argument_checks.whole("after", self.after)
        argument_checks.flag("declared", self.declared)

    async def apply(self, exchange: Exchange) -> Response | None:
        """Send the beginning of the response."""
        response = exchange.real()
        head = exchange.head(response, len(response.body) if self.declared else None)
        exchange.write(head + response.body[: self.after])
        return None


@attrs.frozen
class Raw:
    """Send these bytes in place of an HTTP response, and close the connection.

    The request takes no effect.

    Args:
        data: the bytes, from the status line on.
    """

    data: bytes

    def __attrs_post_init__(self) -> None:
        _check_bytes("data", self.data)

    async def apply(self, exchange: Exchange) -> Response | None:
        """Send the bytes."""
        exchange.write(self.data)
        return None


@attrs.frozen
class Slice:
    """Send the real response in writes of one byte, without pauses.

    It is meant for bodies of a few kilobytes.
    """

    async def apply(self, exchange: Exchange) -> Response | None:
        """Send status line, headers and body, and let the event loop run after each byte."""
        response = exchange.real()
        for byte in exchange.head(response, len(response.body)) + response.body:
            exchange.write(bytes([byte]))
            await asyncio.sleep(0)
        return None


@attrs.frozen
class Drip:
    """Send the headers of the real response at once, then its body a byte at a time.

    Args:
        interval: seconds between two bytes, 0 or more.
    """

    interval: float

    def __attrs_post_init__(self) -> None:
        argument_checks.seconds("interval", self.interval, zero=True)

    async def apply(self, exchange: Exchange) -> Response | None:
        """Send the response slowly."""
        response = exchange.real()
        exchange.write(exchange.head(response, len(response.body)))
        for byte in response.body:
            if exchange.closing.is_set():
                break
            exchange.write(bytes([byte]))
            await exchange.pause(self.interval)
        return None
