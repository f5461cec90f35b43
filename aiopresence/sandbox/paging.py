"""Lists of all extensions of the account, a page at a time."""

from collections.abc import Callable, Iterable

from .account import Extension
from .request_context import RequestContext
from .responses import Body, Response, json_response

Represent = Callable[[Extension], Body]


def page_response(
    context: RequestContext, tail: str, represent: Represent, kept: Iterable[str] = ()
) -> Response:
    """Return the requested page, with links to others.

    Args:
        context: the request.
        tail: the part of the path after the account.
        represent: returns the record of an extension.
        kept: query parameters that links to other pages repeat.
    """
    page = context.number("page", 1)
    per_page = min(context.number("perPage", 100), context.options.page_limit)
    uri = f"{context.base}/restapi/v1.0/account/{context.account.id}/{tail}"
    flags = "".join(f"&{name}={context.query[name]}" for name in kept if name in context.query)
    pages = max(1, -(-len(context.account.extensions) // per_page))
    navigation = _navigation(f"{uri}?page={{}}&perPage={per_page}{flags}", page, pages)
    body = _page(context, represent, page, per_page)
    return json_response({"uri": uri, **body, "navigation": navigation})


def directory_response(context: RequestContext, represent: Represent) -> Response:
    """Return the requested page of the directory, which has no links and may be twice as large."""
    page = context.number("page", 1)
    per_page = min(context.number("perPage", 1000), 2 * context.options.page_limit)
    return json_response(_page(context, represent, page, per_page))


def _page(context: RequestContext, represent: Represent, page: int, per_page: int) -> Body:
    """Return the records of a page, and its position."""
    everyone = list(context.account.extensions.values())
    start = (page - 1) * per_page
    records = [represent(extension) for extension in everyone[start : start + per_page]]
    paging = {"perPage": per_page, "pageStart": start, "pageEnd": start + len(records) - 1}
    if context.options.paging_totals:
        pages = max(1, -(-len(everyone) // per_page))
        paging |= {"page": page, "totalPages": pages, "totalElements": len(everyone)}
    return {"records": records, "paging": paging}


def _navigation(uri: str, page: int, pages: int) -> Body:
    targets = {"firstPage": 1, "previousPage": page - 1, "nextPage": page + 1, "lastPage": pages}
    return {
        name: {"uri": uri.format(target)}
        for name, target in targets.items()
        if 1 <= target <= pages
    }
