"""All extensions of the account, a page at a time."""

from collections.abc import Callable, Iterable

from .account import Extension
from .request_context import Ask
from .responses import Body, Reply, json_reply


def answer(
    ask: Ask, tail: str, view: Callable[[Extension], Body], kept: Iterable[str] = ()
) -> Reply:
    """Answer with the page that was asked for.

    Args:
        ask: the request.
        tail: of the path, after the account.
        view: writes one extension.
        kept: parameters of the query that the links to other pages have, too.
    """
    page = ask.number("page", 1)
    per_page = min(ask.number("perPage", 100), ask.options.page_limit)
    start = (page - 1) * per_page
    everyone = list(ask.account.extensions.values())
    records = [view(extension) for extension in everyone[start : start + per_page]]
    pages = max(1, -(-len(everyone) // per_page))
    paging = {"perPage": per_page, "pageStart": start, "pageEnd": start + len(records) - 1}
    if ask.options.paging_totals:
        paging |= {"page": page, "totalPages": pages, "totalElements": len(everyone)}
    uri = f"{ask.base}/restapi/v1.0/account/{ask.account.id}/{tail}"
    flags = "".join(f"&{name}={ask.query[name]}" for name in kept if name in ask.query)
    navigation = _navigation(f"{uri}?page={{}}&perPage={per_page}{flags}", page, pages)
    return json_reply({"uri": uri, "records": records, "paging": paging, "navigation": navigation})


def _navigation(uri: str, page: int, pages: int) -> Body:
    targets = {"firstPage": 1, "previousPage": page - 1, "nextPage": page + 1, "lastPage": pages}
    return {
        name: {"uri": uri.format(target)}
        for name, target in targets.items()
        if 1 <= target <= pages
    }
