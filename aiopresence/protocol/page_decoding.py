"""Decode a page of an account's presence in slices, so that the event loop is not held up.

A full page can have several megabytes and take some hundred milliseconds to decode. So its list of
records is cut into slices of about 50 records, which are decoded one by one, and other tasks run in
between. Where records begin is guessed from the text; a wrong guess gives a slice that is not valid
JSON, and then the page is decoded as a whole, which also finds the path of any error.
"""

import re
from collections.abc import Generator
from contextlib import suppress

import attrs

from ..errors import DecodeError
from ..models import AccountPresenceInfo, GetPresenceInfo
from . import decoding
from .rest import load

# The bytes of a slice, some 50 records. A guess.
SLICE = 32 * 1024
# The bytes of a page from which the limits on a whole response are checked, too: counting takes a
# sixth of the time of decoding. A smaller page cannot have more values than the limit, and at most
# three times as many objects.
CHECKED_SIZE = decoding.MAX_VALUES

_FIRST_RECORD = re.compile(rb'"records"\s*:\s*\[\s*(\{\s*"[A-Za-z]+"\s*:)')


def decode_page(body: bytes) -> Generator[None, None, AccountPresenceInfo]:
    """Decode a page; run it with `concurrency.run_cooperatively`.

    Yields:
        None after each slice.

    Returns:
        The page.

    Raises:
        DecodeError: as `rest.load`, but objects are counted only from `CHECKED_SIZE` bytes on.
    """
    rest, slices = _split_records(body)
    if slices:
        with suppress(DecodeError):  # Decoding the whole finds out what is wrong, and where.
            page = load(rest, AccountPresenceInfo)
            records = yield from _decode_slices(rest, slices)
            if page.records == ():
                return attrs.evolve(page, records=tuple(records))
    return load(body, AccountPresenceInfo)


def _decode_slices(
    rest: bytes, slices: list[bytes]
) -> Generator[None, None, list[GetPresenceInfo]]:
    """Decode the slices, and check the limits that `decoding.parse` checks for a whole response."""
    records: list[GetPresenceInfo] = []
    size = decoding.JsonSize()
    size.add(rest)
    is_checked = sum(map(len, slices)) + size.values > CHECKED_SIZE
    for part in slices:
        if is_checked:
            size.add(part)
            size.check()
        records += decoding.structure_all(decoding.parse(b"[%b]" % part), GetPresenceInfo)
        if len(records) > decoding.MAX_ITEMS:
            raise DecodeError(f"response exceeds the limit of {decoding.MAX_ITEMS:,} records")
        yield
    return records


def _split_records(body: bytes) -> tuple[bytes, list[bytes]]:
    """Split a page where its records seem to begin; return it without records, and the slices.

    Whether a cut is right is known only after decoding: between two values of an array is the only
    place where the text on both sides is valid JSON. After the last bracket of the page there can
    be no other list.
    """
    first = _FIRST_RECORD.search(body) if len(body) > 2 * SLICE else None
    if first is None or not _is_top_level(body[: first.start(1)]):
        return body, []
    begin, end = first.start(1), body.rfind(b"]")
    rest, slices = body[:begin] + body[end:], []
    separator = re.compile(rb",\s*" + re.escape(first[1]))
    while cut := separator.search(body, begin + SLICE, end):
        slices.append(body[begin : cut.start()])
        begin = cut.start() + 1
    return rest, [*slices, body[begin:end]]


def _is_top_level(prefix: bytes) -> bool:
    """Return whether a list that begins after a prefix is a field of the page itself."""
    with suppress(DecodeError):
        decoding.parse(prefix + b"]}")
        return True
    return False
