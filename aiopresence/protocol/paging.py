"""The pages of an account's presence: which requests come after a page.

Source: RingCentral guide, "Paging"; page size 100 by default, 1,000 at most, larger sizes silently
clamped, and totals, even the page number, may be absent.
"""

import re
from collections.abc import Generator, Iterator
from contextlib import suppress
from urllib.parse import unquote

import attrs

from ..errors import DecodeError
from ..models import (
    AccountPresenceInfo,
    GetPresenceInfo,
    PresenceNavigationInfoURI,
    PresencePagingInfo,
)
from . import decoding
from .rest import Request, load
from .urls import follow

PageRequest = Request[AccountPresenceInfo]

DEFAULT_PER_PAGE, MAX_PER_PAGE = 100, 1000
# Bytes that are read at once: some 50 records. A guess.
SLICE = 32 * 1024
# Bytes from which the objects of a sliced page are counted, too: counting takes a sixth of reading.
# In less there cannot be too many commas, and of objects some three times as many as in a whole.
HEAVY = decoding.MAX_COMMAS

# Consecutive pages without a new record after which a listing ends. A guess: extensions that are
# added during the read move those of a whole page to the next one only when pages are tiny.
MAX_PAGES_WITHOUT = 5

_NEXT_PAGE = "$.navigation.nextPage.uri"
_PAGE_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_FREE = frozenset({"page", "perPage"})
_FIRST_RECORD = re.compile(rb'"records"\s*:\s*\[\s*(\{\s*"[A-Za-z]+"\s*:)')


def read(body: bytes) -> Generator[None, None, AccountPresenceInfo]:
    """Read a page a slice at a time, because a large one takes long.

    A page that is not as it should be is read at once.

    Yields:
        Nothing, between two slices: others can have their turn.

    Returns:
        The page.

    Raises:
        DecodeError: as `wire.load`, but that objects count from `HEAVY` bytes on only.
    """
    rest, slices = _cut(body)
    if slices:
        with suppress(DecodeError):  # The whole says what is wrong, and where.
            page = load(rest, AccountPresenceInfo)
            records = yield from _records(rest, slices)
            if page.records == ():
                return attrs.evolve(page, records=tuple(records))
    return load(body, AccountPresenceInfo)


def _records(rest: bytes, slices: list[bytes]) -> Generator[None, None, list[GetPresenceInfo]]:
    """Read the slices; what `convert.parse` counts of a whole is counted of a heavy page here."""
    records: list[GetPresenceInfo] = []
    objects, commas = decoding.objects(rest), rest.count(b",")
    is_heavy = sum(map(len, slices)) + commas > HEAVY
    for each in slices:
        if is_heavy:
            objects += decoding.objects(each)
            commas += each.count(b",")
        records += decoding.structure_all(decoding.parse(b"[%b]" % each), GetPresenceInfo)
        is_too_much = objects > decoding.MAX_OBJECTS or commas > decoding.MAX_COMMAS
        if is_too_much or len(records) > decoding.MAX_ITEMS:
            raise DecodeError("more in it than any honest answer has")
        yield
    return records


def _cut(body: bytes) -> tuple[bytes, list[bytes]]:
    """Cut a page where its records seem to begin: what is left without them, and the slices.

    Where they do begin is known only when everything was read: between two values of an array
    there is no other place at which what is before, and what comes after, are JSON both. After the
    last bracket of the page there can be no other list.
    """
    first = _FIRST_RECORD.search(body) if len(body) > 2 * SLICE else None
    if first is None or not _are_of_page(body[: first.start(1)]):
        return body, []
    begin, end = first.start(1), body.rfind(b"]")
    rest, slices = body[:begin] + body[end:], []
    mark = re.compile(rb",\s*" + re.escape(first[1]))
    while cut := mark.search(body, begin + SLICE, end):
        slices.append(body[begin : cut.start()])
        begin = cut.start() + 1
    return rest, [*slices, body[begin:end]]


def _are_of_page(before: bytes) -> bool:
    """Tell whether a list that begins after some text is the page's own, and not further within."""
    with suppress(DecodeError):
        decoding.parse(before + b"]}")
        return True
    return False


def known(first: PageRequest, page: AccountPresenceInfo) -> Iterator[PageRequest]:
    """Give the requests of all pages after the first, as far as it tells how many there are."""
    total = (page.paging or PresencePagingInfo()).total_pages or 1
    return (_page(first, number) for number in range(2, total + 1))


def following(request: PageRequest, page: AccountPresenceInfo, server: str) -> PageRequest | None:
    """Return the request of the page after this one, or None when this is the last.

    Of a link to the next page only the page number is used.

    Raises:
        DecodeError: the link is not to another page of the same call.
    """
    params = dict(request.params)
    number = int(params.get("page", 1))
    if page.navigation is not None:
        uri = (page.navigation.next_page or PresenceNavigationInfoURI()).uri
        linked = _linked_number(request, uri, server) if uri else 0
        return _page(request, linked) if linked > number else None
    paging = page.paging or PresencePagingInfo()
    full = paging.per_page or min(int(params.get("perPage", DEFAULT_PER_PAGE)), MAX_PER_PAGE)
    if paging.total_pages is not None or len(page.records or ()) < full:
        return None
    return _page(request, number + 1)


def _linked_number(request: PageRequest, uri: str, server: str) -> int:
    """Return the page number in a link; DecodeError unless it is a link to the same call."""
    linked = follow(request, server, uri, _NEXT_PAGE)
    query = dict(linked.params)
    # A server reduces perPage to the largest it allows, and may name its defaults.
    same = all(query.get(n, value) == value for n, value in request.params if n not in _FREE)
    # It may also write the real id where "~" was asked for.
    path = re.escape(request.path).replace("/account/\\~/", "/account/(?:\\~|[0-9]+)/")
    if not same or not re.fullmatch(path, unquote(linked.path), re.ASCII):
        raise DecodeError("a link to another call is not followed", _NEXT_PAGE)
    number = query.get("page", "")
    if not _PAGE_NUMBER.fullmatch(number):
        raise DecodeError("a link without a page number", _NEXT_PAGE)
    return int(number)


class NewRecords:
    """The records of a listing that were on no earlier page.

    A server that ignores page numbers, or repeats its pages, would make a listing endless.

    Attributes:
        repeats: whether the last pages had no new record, so that no further page will have any.
    """

    def __init__(self) -> None:
        self.repeats = False
        self._seen: set[object] = set()
        self._pages_without = 0

    def of(self, page: AccountPresenceInfo) -> list[GetPresenceInfo]:
        """Return the records of a page whose extensions are new; all of those without an id."""
        before, new = len(self._seen), []
        for record in page.records or ():
            id_ = record.extension.id if record.extension else None
            if not id_ or id_ not in self._seen:
                new.append(record)
            self._seen.add(id_ or hash(record))
        self._pages_without = 0 if len(self._seen) > before else self._pages_without + 1
        self.repeats = self._pages_without >= MAX_PAGES_WITHOUT
        return new


def _page(request: PageRequest, number: int) -> PageRequest:
    return attrs.evolve(
        request, params=tuple({**dict(request.params), "page": str(number)}.items())
    )
