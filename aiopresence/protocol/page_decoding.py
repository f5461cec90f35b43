"""Decode a page of a listing in slices, so that the event loop is not held up.

A full page of presence can have several megabytes and take some hundred milliseconds to decode. So
its list of records is cut into slices of about 50 records, which are decoded one by one, and other
tasks run in between. Where records begin is guessed from the text; a wrong guess gives a slice that
is not valid JSON, and then the page is parsed as a whole, which takes some ten milliseconds, and
only its records are decoded in slices.

The result, or the error, is that of decoding the page as a whole. If a record has a wrong type, the
others need not be decoded again to find its path: the same error is found in a page that has only
this record.
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar, cast

import attrs

from ..errors import DecodeError
from . import decoding, rest

P = TypeVar("P")

# The bytes of a slice, some 50 records, and the most records that are decoded at once. A guess.
SLICE = 32 * 1024
RECORDS = 100
# The bytes of a page from which the limits on a whole response are checked, too: counting takes a
# sixth of the time of decoding. A smaller page cannot have more values than the limit, and at most
# three times as many objects.
CHECKED_SIZE = decoding.MAX_VALUES

# Parsed JSON: an object, and a list of what should be records.
_Object = dict[str, Any]
_Values = list[Any]

_FIRST_RECORD = re.compile(rb'"records"\s*:\s*\[\s*(\{\s*"[A-Za-z]+"\s*:)')


class _WrongCutError(Exception):
    """The text was cut where no record begins, or the page is not valid."""


class _Models(NamedTuple):
    """The class of a page, and that of its records."""

    page: Any
    record: Any


def decode_page(
    body: bytes, page_class: type[P], record_class: type[Any]
) -> Generator[None, None, P]:
    """Decode a page; run it with `concurrency.run_cooperatively`.

    Args:
        body: the JSON.
        page_class: the class of the page, whose field `records` has a tuple of records.
        record_class: the class of a record.

    Yields:
        None after each slice.

    Returns:
        The page.

    Raises:
        DecodeError: as `rest.load`, but objects are counted only from `CHECKED_SIZE` bytes on.
    """
    found: P
    models = _Models(page_class, record_class)
    if cut := _split_records(body):
        with suppress(_WrongCutError):  # Parsing the whole finds out whether it is valid.
            found = yield from _structure(models, _parse_frame(cut[0]), _parse_slices(*cut))
            return found
    page = decoding.parse(body)
    records = page.get("records") if type(page) is dict else None
    if type(records) is not list or not RECORDS < len(records) <= decoding.MAX_ITEMS:
        return rest.structure(page, page_class)
    yield
    found = yield from _structure(models, page, _sliced(records))
    return found


def _structure(
    models: _Models, page: _Object, slices: Iterable[_Values]
) -> Generator[None, None, Any]:
    """Return the page of which the records are in slices, whatever the page itself has."""
    records: _Values = []
    strings: dict[Any, Any] = {}
    count, wrong = 0, None
    for values in slices:
        if wrong is None:
            try:
                records += decoding.structure_sharing(values, models.record, strings)
            except DecodeError:
                place = _first_wrong(models, values)
                wrong = count + place, values[place]
        count += len(values)
        yield
    if wrong is not None:
        raise _error_of_record(models, page, *wrong)
    return attrs.evolve(
        rest.structure({**page, "records": []}, models.page), records=tuple(records)
    )


def _first_wrong(models: _Models, values: _Values) -> int:
    """Return the place of the first value that is no record."""
    errors = (_error(decoding.structure, value, models.record) for value in values)
    return next(place for place, error in enumerate(errors) if error is not None)


def _error_of_record(models: _Models, page: _Object, place: int, value: object) -> DecodeError:
    """Return the first error of a page whose first wrong record is a certain one."""
    alone = {**page, "records": [value]}
    error = cast(DecodeError, _error(rest.structure, alone, models.page))
    path = error.path.replace("$.records[0]", f"$.records[{place}]")
    return DecodeError(error.reason, path)


def _error(
    structure: Callable[[Any, type[Any]], object], value: object, cls: type[Any]
) -> DecodeError | None:
    """Return why a value cannot be decoded; None if it can."""
    try:
        structure(value, cls)
    except DecodeError as error:
        return error
    return None


def _parse_frame(frame: bytes) -> _Object:
    """Parse a page without its records."""
    with suppress(DecodeError):
        page = decoding.parse(frame)
        if type(page) is dict and page.get("records") == []:
            return page
    raise _WrongCutError


def _parse_slices(frame: bytes, slices: list[bytes]) -> Iterator[_Values]:
    """Parse the slices, and check the limits that `decoding.parse` checks for a whole response."""
    size = decoding.JsonSize()
    size.add(frame)
    is_checked, count = sum(map(len, slices)) + size.values > CHECKED_SIZE, 0
    for part in slices:
        try:
            if is_checked:
                size.add(part)
                size.check()
            values = decoding.parse(b"[%b]" % part)
        except DecodeError:
            raise _WrongCutError from None
        count += len(values)
        if count > decoding.MAX_ITEMS:
            raise _WrongCutError
        yield from _sliced(values)


def _sliced(values: _Values) -> Iterator[_Values]:
    return (values[start : start + RECORDS] for start in range(0, len(values), RECORDS))


def _split_records(body: bytes) -> tuple[bytes, list[bytes]] | None:
    """Split a page where its records seem to begin; return it without records, and the slices.

    Returns:
        None if it is small, or no record is found.

    Whether a cut is right is known only after decoding: between two values of an array is the only
    place where the text on both sides is valid JSON. After the last bracket of the page there can
    be no other list.
    """
    first = _FIRST_RECORD.search(body) if len(body) > 2 * SLICE else None
    if first is None or not _is_top_level(body[: first.start(1)]):
        return None
    begin, end = first.start(1), body.rfind(b"]")
    frame, slices = body[:begin] + body[end:], []
    separator = re.compile(rb",\s*" + re.escape(first[1]))
    while cut := separator.search(body, begin + SLICE):
        slices.append(body[begin : cut.start()])
        begin = cut.start() + 1
    return frame, [*slices, body[begin:end]]


def _is_top_level(prefix: bytes) -> bool:
    """Return whether a list that begins after a prefix is a field of the page itself."""
    with suppress(DecodeError):
        decoding.parse(prefix + b"]}")
        return True
    return False
