"""Lists of all extensions of the account, a page at a time."""

from collections.abc import Callable, Iterable

from .account import Extension
from .request_context import RequestContext
from .responses import Body, Response, json_response


def page_response(
    context: RequestContext,
    tail: str,
    represent: Callable[[Extension], Body],
    kept: Iterable[str] = (),
) -> Response:
    """Return the requested page.

    Args:
        context: the request.
        tail: the part of the path after the account.
        represent: returns the record of an extension.
        kept: query parameters that links to other pages repeat.
    """
    page = context.number("page", 1)
    per_page = min(context.number("perPage", 100), context.options.page_limit)
    start = (page - 1) * per_page
    everyone = list(context.account.extensions.values())
    records = [represent(extension) for extension in everyone[start : start + per_page]]
    pages = max(1, -(-len(everyone) // per_page))
    paging = {"perPage": per_page, "pageStart": start, "pageEnd": start + len(records) - 1}
    if context.options.paging_totals:
        paging |= {"page": page, "totalPages": pages, "totalElements": len(everyone)}
    uri = f"{context.base}/restapi/v1.0/account/{context.account.id}/{tail}"
    flags = "".join(f"&{name}={context.query[name]}" for name in kept if name in context.query)
    navigation = _navigation(f"{uri}?page={{}}&perPage={per_page}{flags}", page, pages)
    return json_response(
        {"uri": uri, "records": records, "paging": paging, "navigation": navigation}
    )


def _navigation(uri: str, page: int, pages: int) -> Body:
    targets = {"firstPage": 1, "previousPage": page - 1, "nextPage": page + 1, "lastPage": pages}
    return {
        name: {"uri": uri.format(target)}
        for name, target in targets.items()
        if 1 <= target <= pages
    }
