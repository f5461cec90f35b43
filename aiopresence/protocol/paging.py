"""Find the pages of a listing, such as an account's presence: which requests come after a page.

Source: RingCentral guide, "Paging": 100 records per page by default and 1,000 at most, and larger
sizes are reduced without an error. Seen: totals, even the page number, may be absent.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar
from urllib.parse import unquote

import attrs

from ..errors import DecodeError
from ..models import (
    AccountPresenceInfo,
    GetPresenceInfo,
    PresenceNavigationInfo,
    PresenceNavigationInfoURI,
    PresencePagingInfo,
)
from .rest import Request
from .urls import follow


class Page(Protocol):
    """A page of any listing."""

    @property
    def records(self) -> Sequence[object] | None:
        """What is listed."""

    @property
    def paging(self) -> PresencePagingInfo | None:
        """The position of the page."""

    @property
    def navigation(self) -> PresenceNavigationInfo | None:
        """The URLs of other pages."""


R = TypeVar("R")
P = TypeVar("P", bound=Page)
PageRequest = Request[AccountPresenceInfo]

DEFAULT_PER_PAGE, MAX_PER_PAGE = 100, 1000
# Consecutive pages without a new record after which a listing ends. A guess: extensions that are
# added during the read move the records of a whole page to the next one only if pages are tiny.
MAX_PAGES_WITHOUT_NEW = 5

_NEXT_PAGE = "$.navigation.nextPage.uri"
_PAGE_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_PAGING_PARAMS = frozenset({"page", "perPage"})


def known_pages(first: Request[P], page: P) -> Iterator[Request[P]]:
    """Yield the requests of all pages after the first, if it states how many there are."""
    total = (page.paging or PresencePagingInfo()).total_pages or 1
    return (with_page(first, number) for number in range(2, total + 1))


def next_page(request: Request[P], page: P, server: str) -> Request[P] | None:
    """Return the request of the page after this one, or None if this is the last.

    Each page is judged by what it states itself, because a server may leave totals and links out
    of some pages only. Of a link to the next page only the page number is used.

    Raises:
        DecodeError: the link is not to another page of the same call.
    """
    params = dict(request.params)
    number = int(params.get("page", 1))
    paging = page.paging or PresencePagingInfo()
    if number < (paging.total_pages or 0):
        return with_page(request, number + 1)
    if page.navigation is not None:
        uri = (page.navigation.next_page or PresenceNavigationInfoURI()).uri
        linked = _linked_page(request, uri, server) if uri else 0
        return with_page(request, linked) if linked > number else None
    full = paging.per_page or min(int(params.get("perPage", DEFAULT_PER_PAGE)), MAX_PER_PAGE)
    if paging.total_pages is not None or len(page.records or ()) < full:
        return None
    return with_page(request, number + 1)


def _linked_page(request: Request[P], uri: str, server: str) -> int:
    """Return the page number in a link; DecodeError unless it is a link to the same call."""
    linked = follow(request, server, uri, _NEXT_PAGE)
    query = dict(linked.params)
    # A server reduces perPage to its maximum, and may add its defaults.
    is_same = all(
        query.get(name, value) == value
        for name, value in request.params
        if name not in _PAGING_PARAMS
    )
    # It may also replace "~" with the id.
    path = re.escape(request.path).replace("/account/\\~/", "/account/(?:\\~|[0-9]+)/")
    if not is_same or not re.fullmatch(path, unquote(linked.path)):
        raise DecodeError("a link to another call is not followed", _NEXT_PAGE)
    number = query.get("page", "")
    if not _PAGE_NUMBER.fullmatch(number):
        raise DecodeError("the link has no page number", _NEXT_PAGE)
    return int(number)


def with_page(request: Request[P], number: int) -> Request[P]:
    """Return the request of another page of the same listing."""
    return attrs.evolve(
        request, params=tuple({**dict(request.params), "page": str(number)}.items())
    )


class NewRecords(Generic[R]):
    """Selects the records of a listing that were on no earlier page.

    A server that ignores page numbers, or repeats its pages, would make a listing endless.

    Args:
        id_of: returns the id of a record, or None.

    Attributes:
        pages_repeat: whether the last pages had no new record, so that none is to be expected.
    """

    def __init__(self, id_of: Callable[[R], str | None]) -> None:
        self.pages_repeat = False
        self._id_of = id_of
        self._seen: set[object] = set()
        self._pages_without_new = 0

    def select(self, records: Iterable[R] | None) -> list[R]:
        """Return the records of a page whose ids are new, and all without an id."""
        before, new = len(self._seen), []
        for record in records or ():
            id_ = self._id_of(record)
            if not id_ or id_ not in self._seen:
                new.append(record)
            self._seen.add(id_ or hash(record))
        has_new = len(self._seen) > before
        self._pages_without_new = 0 if has_new else self._pages_without_new + 1
        self.pages_repeat = self._pages_without_new >= MAX_PAGES_WITHOUT_NEW
        return new


def new_presence() -> NewRecords[GetPresenceInfo]:
    """Return what selects the records of an account's presence."""
    return NewRecords(lambda record: record.extension.id if record.extension else None)
