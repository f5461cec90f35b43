"""How fast do answers become records, against what people would use instead?

- A batch of 30 detailed records (some 36 KB of multipart/mixed) as our outcomes; as dicts by the
  vendor's SDK, by requests-toolbelt and by aiohttp's own reader, each with json; and as msgspec
  Structs, which is the floor: a body that is known to be good, split and read without a check.
- The same batch as an array, and pages of 1,000 records, as dicts by json and as Structs.

Run: python -m benchmarks.decoding
"""

import asyncio
import gc
import json
import sys
import types
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any, Union, get_args, get_origin, get_type_hints

import aiohttp
import attrs
import msgspec
import requests
from aiohttp.base_protocol import BaseProtocol
from multidict import CIMultiDict
from requests_toolbelt import MultipartDecoder
from ringcentral.http.api_response import ApiResponse

from aiopresence import AccountPresenceInfo, GetPresenceInfo, Response
from aiopresence.models.ids import Id
from aiopresence.protocol import batch, convert, multipart, pages

from . import bodies
from .report import Row, Times, finish, interleaved, ratio

OURS, VENDOR, TOOLBELT = "aiopresence", "ringcentral 0.9.2", "requests-toolbelt and json"
READER, FLOOR, PLAIN = "aiohttp's reader and json", "msgspec Structs", "json, as dicts"


def vendor(answer: Response) -> list[Any]:
    """Read a batch with the vendor's SDK, from an answer as requests makes it."""
    received = requests.Response()
    received.status_code = answer.status
    received.headers.update(answer.headers)
    received.encoding = requests.utils.get_encoding_from_headers(received.headers)
    received._content = answer.body
    return [part.json_dict() for part in ApiResponse(response=received).multipart()]


def toolbelt(answer: Response) -> list[Any]:
    """Read a batch with requests-toolbelt."""
    parts = MultipartDecoder(answer.body, answer.headers["content-type"]).parts
    return [json.loads(part.content) for part in parts]


def reader(answer: Response) -> Callable[[], list[Any]]:
    """Make a reader of a batch with aiohttp, on a loop that is there already."""
    loop = asyncio.new_event_loop()
    headers = CIMultiDict({"Content-Type": answer.headers["content-type"]})

    async def read() -> list[Any]:
        stream = aiohttp.StreamReader(BaseProtocol(loop), 2**16, loop=loop)
        stream.feed_data(answer.body)
        stream.feed_eof()
        parts = aiohttp.MultipartReader(headers, stream)
        return [await part.json() async for part in parts]

    return lambda: loop.run_until_complete(read())


def floor(answer: Response) -> Callable[[], list[Any]]:
    """Make a reader of a batch that splits it and checks nothing but the types."""
    decode = msgspec.json.Decoder(_struct(GetPresenceInfo)).decode
    delimiter = b"\r\n--" + multipart.boundary_of(answer.headers["content-type"])

    def read() -> list[Any]:
        _summary, *parts = answer.body.split(delimiter)[:-1]
        return [decode(part[part.index(b"\r\n\r\n") + 4 :]) for part in parts]

    return read


def _struct(record: Any) -> Any:
    """Give a msgspec Struct with the fields of a record of ours."""
    hints = get_type_hints(record, include_extras=True)
    names = [field.name for field in attrs.fields(record)]
    fields = [(name, _of_structs(hints[name]), None) for name in names]
    rename = {name: convert.camel(name) for name in names}
    return msgspec.defstruct(record.__name__, fields, frozen=True, rename=rename)


def _of_structs(hint: Any) -> Any:
    if hint == Id:
        return int | str
    if get_origin(hint) in (Union, types.UnionType):
        return reduce(or_, map(_of_structs, get_args(hint)))
    if get_origin(hint) is tuple:
        return tuple[_of_structs(get_args(hint)[0]), ...]
    return _struct(hint) if attrs.has(hint) else hint


def of_batch(what: str, ids: tuple[str, ...], answer: Response) -> list[Row]:
    """Measure a batch in multipart/mixed."""
    times = interleaved(
        {
            OURS: lambda: batch.read(ids, answer, GetPresenceInfo),
            VENDOR: lambda: vendor(answer),
            TOOLBELT: lambda: toolbelt(answer),
            READER: reader(answer),
            FLOOR: floor(answer),
        }
    )
    return [
        _faster(what, times, VENDOR, 6.0),
        _faster(what, times, TOOLBELT, 3.0),
        _faster(what, times, READER, 3.0),
        _slower(what, times),
    ]


def of_json(what: str, ours: Callable[[], object], answer: Response, shape: Any) -> list[Row]:
    """Measure an answer that is plain JSON."""
    decode = msgspec.json.Decoder(shape).decode
    times = interleaved(
        {
            OURS: ours,
            PLAIN: lambda: json.loads(answer.body),
            FLOOR: lambda: decode(answer.body),
        }
    )
    return [_faster(what, times, PLAIN, None), _slower(what, times)]


def _faster(what: str, times: Times, name: str, target: float | None) -> Row:
    return ratio(
        *("decoding", f"{what}: faster than {name}", times, name, OURS),
        target=target,
        at_least=True,
    )


def _slower(what: str, times: Times) -> Row:
    return ratio("decoding", f"{what}: slower than {FLOOR}", times, OURS, FLOOR, target=5.0)


def measure() -> list[Row]:
    """Measure all."""
    taken = bodies.take()
    answer = msgspec.defstruct("Answer", [("body", _struct(GetPresenceInfo))])
    page = _struct(AccountPresenceInfo)
    # The garbage collector looks at what is read, but not at all that the contestants brought in.
    gc.collect()
    gc.freeze()

    def load(response: Response) -> Callable[[], object]:
        return lambda: [*pages.read(response.body)]

    return [
        *of_batch("30 detailed records", taken.ids, taken.detailed),
        *of_batch("30 records", taken.ids, taken.plain),
        *of_json(
            "the same, detailed, as an array",
            lambda: batch.read(taken.ids, taken.array, GetPresenceInfo),
            taken.array,
            list[answer],  # type: ignore[valid-type] # made at run time
        ),
        *of_json("a page of 1,000", load(taken.page), taken.page, page),
        *of_json("a page of 1,000 detailed", load(taken.detailed_page), taken.detailed_page, page),
    ]


if __name__ == "__main__":
    sys.exit(finish(measure()))
