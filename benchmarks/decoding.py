"""How long do others take to read answers, against the library?

- A batch of 30 records, plain and detailed, as outcomes; as dicts by the vendor's SDK, by
  requests-toolbelt and by aiohttp's own reader, each with json; as dicts by toolbelt with orjson,
  and by nothing but a split and orjson, which trusts the body; and as msgspec Structs, which is the
  floor: split as well, and no check but that of the types.
- The same batch indented, and as an array; pages of 1,000 records: as dicts by json and by orjson,
  and as Structs.

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
SPLIT = "a split and orjson (dicts, unchecked)"
DICTS, DICTS_ORJSON = "json (dicts)", "orjson (dicts)"

Reader = Callable[[], object]


def vendor(answer: Response) -> Reader:
    """Make a reader of a batch with the vendor's SDK, from an answer as requests makes it."""
    received = requests.Response()
    received.status_code = answer.status
    received.headers.update(answer.headers)
    received.encoding = requests.utils.get_encoding_from_headers(received.headers)
    received._content = answer.body
    return lambda: [part.json_dict() for part in ApiResponse(response=received).multipart()]


def toolbelt(answer: Response, loads: Callable[[bytes], object]) -> Reader:
    """Make a reader of a batch with requests-toolbelt."""

    def read() -> list[object]:
        parts = MultipartDecoder(answer.body, answer.headers["content-type"]).parts
        return [loads(part.content) for part in parts]

    return read


def reader(answer: Response) -> Reader:
    """Make a reader of a batch with aiohttp, on a loop that is there already."""
    loop = asyncio.new_event_loop()
    headers = CIMultiDict({"Content-Type": answer.headers["content-type"]})

    async def read() -> list[Any]:
        stream = aiohttp.StreamReader(BaseProtocol(loop), 2**16, loop=loop)
        stream.feed_data(answer.body)
        stream.feed_eof()
        parts = aiohttp.MultipartReader(headers, stream)
        return [
            await part.json() async for part in parts if isinstance(part, aiohttp.BodyPartReader)
        ]

    return lambda: loop.run_until_complete(read())


def split(answer: Response, decode: Callable[[bytes], object]) -> Reader:
    """Make a reader of a batch that is known to be good."""
    delimiter = b"\r\n--" + multipart.parse_boundary(answer.headers["content-type"])

    def read() -> list[object]:
        _summary, *parts = answer.body.split(delimiter)[:-1]
        return [decode(part[part.index(b"\r\n\r\n") + 4 :]) for part in parts]

    return read


def _struct(record: Any) -> Any:
    """Give a msgspec Struct with the fields of a record of ours."""
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
    what: str, ids: tuple[str, ...], answer: Response, *, targets: bool = True
) -> list[Row]:
    """Measure a batch in multipart/mixed."""
    times = interleaved(
        {
            OURS: lambda: batch.read(ids, answer, GetPresenceInfo),
            VENDOR: vendor(answer),
            TOOLBELT: toolbelt(answer, json.loads),
            READER: reader(answer),
            TOOLBELT_ORJSON: toolbelt(answer, orjson.loads),
            SPLIT: split(answer, orjson.loads),
            FLOOR: split(answer, msgspec.json.Decoder(_struct(GetPresenceInfo)).decode),
        }
    )
    least = {VENDOR: 6.0, TOOLBELT: 3.0, READER: 3.0} if targets else {}
    others = (VENDOR, TOOLBELT, READER, TOOLBELT_ORJSON, SPLIT)
    return [*(_other(what, times, name, least.get(name)) for name in others), _ours(what, times)]


def of_json(what: str, ours: Reader, answer: Response, shape: Any) -> list[Row]:
    """Measure an answer that is plain JSON."""
    decode = msgspec.json.Decoder(shape).decode
    times = interleaved(
        {
            OURS: ours,
            DICTS: lambda: json.loads(answer.body),
            DICTS_ORJSON: lambda: orjson.loads(answer.body),
            FLOOR: lambda: decode(answer.body),
        }
    )
    return [*(_other(what, times, name) for name in (DICTS, DICTS_ORJSON)), _ours(what, times)]


def _other(what: str, times: Times, name: str, target: float | None = None) -> Row:
    what = f"{what}: time of {name} over {OURS}'s"
    told = name == SPLIT
    return ratio("decoding", what, times, name, OURS, target=target, at_least=True, told=told)


def _ours(what: str, times: Times) -> Row:
    what = f"{what}: time of {OURS} over {FLOOR}"
    return ratio("decoding", what, times, OURS, FLOOR, target=5.0)


def measure() -> list[Row]:
    """Measure all."""
    taken = bodies.take()
    answer = msgspec.defstruct("Answer", [("body", _struct(GetPresenceInfo))])
    page = _struct(AccountPresenceInfo)
    # The garbage collector looks at what is read, but not at all that the contestants brought in.
    gc.collect()
    gc.freeze()

    def load(response: Response) -> Reader:
        return lambda: [*page_decoding.decode_page(response.body)]

    return [
        *of_batch("30 detailed records", taken.ids, taken.detailed),
        *of_batch("30 records", taken.ids, taken.plain),
        *of_batch("30 detailed records, indented", taken.ids, taken.indented, targets=False),
        *of_json(
            "30 detailed records as an array",
            lambda: batch.read(taken.ids, taken.array, GetPresenceInfo),
            taken.array,
            list[answer],  # type: ignore[valid-type] # made at run time
        ),
        *of_json("a page of 1,000 records", load(taken.page), taken.page, page),
        *of_json(
            "a page of 1,000 detailed records", load(taken.detailed_page), taken.detailed_page, page
        ),
    ]


if __name__ == "__main__":
    sys.exit(finish(measure()))
