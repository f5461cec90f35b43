"""The pages of an account's presence: which requests come after a page.

Source: RingCentral guide, "Paging"; page size 100 by default, 1,000 at most, larger sizes silently
clamped, and totals, even the page number, may be absent.
"""

from collections.abc import Iterator

import attrs

from ..errors import DecodeError
from ..models import AccountPresenceInfo, PresenceNavigationInfoURI, PresencePagingInfo
from .wire import Request, follow

PageRequest = Request[AccountPresenceInfo]

DEFAULT_PER_PAGE, MAX_PER_PAGE = 100, 1000


def known(first: PageRequest, page: AccountPresenceInfo) -> Iterator[PageRequest]:
    """Give the requests of all pages after the first, as far as it tells how many there are."""
    total = (page.paging or PresencePagingInfo()).total_pages or 1
    return (_page(first, number) for number in range(2, total + 1))


def following(request: PageRequest, page: AccountPresenceInfo, server: str) -> PageRequest | None:
    """Give the request of the page after this one, or None when this is the last.

    Raises:
        DecodeError: the link to it leads to another host, or out of the API.
    """
    if page.navigation is not None:
        uri = (page.navigation.next_page or PresenceNavigationInfoURI()).uri
        return follow(request, server, uri, "$.navigation.nextPage.uri") if uri else None
    paging = page.paging or PresencePagingInfo()
    params = dict(request.params)
    try:
        per_page = int(params.get("perPage", DEFAULT_PER_PAGE))
        number = int(params.get("page", 1))
    except ValueError:
        raise DecodeError("a link without page numbers", "$.navigation.nextPage.uri") from None
    full = paging.per_page or min(per_page, MAX_PER_PAGE)
    if paging.total_pages is not None or len(page.records or ()) < full:
        return None
    return _page(request, number + 1)


def signature(page: AccountPresenceInfo) -> int:
    """Give what tells a page from others: which extensions are on it, as their presence changes."""
    return hash(tuple(r.extension.id if r.extension else r for r in page.records or ()))


def _page(request: PageRequest, number: int) -> PageRequest:
    return attrs.evolve(
        request, params=tuple({**dict(request.params), "page": str(number)}.items())
    )
