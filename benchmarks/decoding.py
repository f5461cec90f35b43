"""How long does decoding take, compared with other libraries?

- A batch of 30 records, plain and detailed: outcomes by aiopresence; dicts by the vendor's SDK, by
  requests-toolbelt and by aiohttp's multipart reader, each with json; dicts by requests-toolbelt
  with orjson, and by bytes.split and orjson, which check nothing; msgspec Structs, also split and
  with no checks but that of the types, as the lower bound.
- The same batch indented, and as a JSON array; pages of 1,000 records: dicts by json and by orjson,
  and Structs.

Run: python -m benchmarks.decoding
"""

import asyncio
import gc
import json
import sys
import types
from collections.abc import Callable
from functools import reduce
from importlib.metadata import version
from operator import or_
from typing import Any, Union, get_args, get_origin, get_type_hints

import aiohttp
import attrs
import msgspec
import orjson
import requests
from aiohttp.base_protocol import BaseProtocol
from multidict import CIMultiDict
from requests_toolbelt import MultipartDecoder
from ringcentral.http.api_response import ApiResponse

from aiopresence import AccountPresenceInfo, GetPresenceInfo, Response
from aiopresence.ids import RecordId
from aiopresence.protocol import batch, decoding, multipart, page_decoding

from . import bodies
from .report import Row, Times, finish, interleaved, ratio

OURS, VENDOR = "aiopresence", f"ringcentral {version('ringcentral')}"
TOOLBELT, TOOLBELT_ORJSON = "requests-toolbelt and json", "requests-toolbelt and orjson"
READER, FLOOR = "aiohttp's reader and json", "msgspec Structs (unchecked)"
SPLIT = "split() and orjson (dicts, unchecked)"
DICTS, DICTS_ORJSON = "json (dicts)", "orjson (dicts)"

Reader = Callable[[], object]


def vendor(response: Response) -> Reader:
    """Return a reader with the vendor's SDK, of a response of requests."""
    received = requests.Response()
    received.status_code = response.status
    received.headers.update(response.headers)
    received.encoding = requests.utils.get_encoding_from_headers(received.headers)
    received._content = response.body
    return lambda: [part.json_dict() for part in ApiResponse(response=received).multipart()]


def toolbelt(response: Response, loads: Callable[[bytes], object]) -> Reader:
    """Return a reader with requests-toolbelt."""

    def read() -> list[object]:
        parts = MultipartDecoder(response.body, response.headers["content-type"]).parts
        return [loads(part.content) for part in parts]

    return read


def reader(response: Response) -> Reader:
    """Return a reader with aiohttp, on an event loop that is already open."""
    loop = asyncio.new_event_loop()
    headers = CIMultiDict({"Content-Type": response.headers["content-type"]})

    async def read() -> list[Any]:
        stream = aiohttp.StreamReader(BaseProtocol(loop), 2**16, loop=loop)
        stream.feed_data(response.body)
        stream.feed_eof()
        parts = aiohttp.MultipartReader(headers, stream)
        return [
            await part.json() async for part in parts if isinstance(part, aiohttp.BodyPartReader)
        ]

    return lambda: loop.run_until_complete(read())


def split(response: Response, decode: Callable[[bytes], object]) -> Reader:
    """Return a reader that checks nothing."""
    delimiter = b"\r\n--" + multipart.parse_boundary(response.headers["content-type"])

    def read() -> list[object]:
        _summary, *parts = response.body.split(delimiter)[:-1]
        return [decode(part[part.index(b"\r\n\r\n") + 4 :]) for part in parts]

    return read


def _struct(record: Any) -> Any:
    """Return a msgspec Struct with the fields of one of our records."""
    hints = get_type_hints(record, include_extras=True)
    names = [field.name for field in attrs.fields(record)]
    fields = [(name, _of_structs(hints[name]), None) for name in names]
    rename = {name: decoding.camel(name) for name in names}
    return msgspec.defstruct(record.__name__, fields, frozen=True, rename=rename)


def _of_structs(hint: Any) -> Any:
    if hint == RecordId:
        return int | str
    if get_origin(hint) in (Union, types.UnionType):
        return reduce(or_, map(_of_structs, get_args(hint)))
    if get_origin(hint) is tuple:
        return types.GenericAlias(tuple, (_of_structs(get_args(hint)[0]), ...))
    return _struct(hint) if attrs.has(hint) else hint


def of_batch(
    label: str, ids: tuple[str, ...], response: Response, *, targets: bool = True
) -> list[Row]:
    """Measure a batch in multipart/mixed."""
    times = interleaved(
        {
            OURS: lambda: batch.read(ids, response, GetPresenceInfo),
            VENDOR: vendor(response),
            TOOLBELT: toolbelt(response, json.loads),
            READER: reader(response),
            TOOLBELT_ORJSON: toolbelt(response, orjson.loads),
            SPLIT: split(response, orjson.loads),
            FLOOR: split(response, msgspec.json.Decoder(_struct(GetPresenceInfo)).decode),
        }
    )
    least = {VENDOR: 6.0, TOOLBELT: 3.0, READER: 3.0} if targets else {}
    others = (VENDOR, TOOLBELT, READER, TOOLBELT_ORJSON, SPLIT)
    return [*(_other(label, times, name, least.get(name)) for name in others), _ours(label, times)]


def of_json(label: str, ours: Reader, response: Response, shape: Any) -> list[Row]:
    """Measure a response in plain JSON."""
    decode = msgspec.json.Decoder(shape).decode
    times = interleaved(
        {
            OURS: ours,
            DICTS: lambda: json.loads(response.body),
            DICTS_ORJSON: lambda: orjson.loads(response.body),
            FLOOR: lambda: decode(response.body),
        }
    )
    return [*(_other(label, times, name) for name in (DICTS, DICTS_ORJSON)), _ours(label, times)]


def _other(label: str, times: Times, name: str, target: float | None = None) -> Row:
    label = f"{label}: time of {name} over {OURS}'s"
    return ratio("decoding", label, times, name, OURS, target=target, at_least=True)


def _ours(label: str, times: Times) -> Row:
    label = f"{label}: time of {OURS} over {FLOOR}"
    return ratio("decoding", label, times, OURS, FLOOR, target=5.0)


def measure() -> list[Row]:
    """Measure all."""
    taken = bodies.take()
    item = msgspec.defstruct("Answer", [("body", _struct(GetPresenceInfo))])
    page = _struct(AccountPresenceInfo)
    # Keep what the contestants imported out of the garbage collections that are measured.
    gc.collect()
    gc.freeze()

    def load(response: Response) -> Reader:
        return lambda: [
            *page_decoding.decode_page(response.body, AccountPresenceInfo, GetPresenceInfo)
        ]

    return [
        *of_batch("30 detailed records", taken.ids, taken.detailed),
        *of_batch("30 records", taken.ids, taken.plain),
        *of_batch("30 detailed records, indented", taken.ids, taken.indented, targets=False),
        *of_json(
            "30 detailed records as an array",
            lambda: batch.read(taken.ids, taken.array, GetPresenceInfo),
            taken.array,
            list[item],  # type: ignore[valid-type] # made at run time
        ),
        *of_json("a page of 1,000 records", load(taken.page), taken.page, page),
        *of_json(
            "a page of 1,000 detailed records", load(taken.detailed_page), taken.detailed_page, page
        ),
    ]


if __name__ == "__main__":
    sys.exit(finish(measure()))
