"""Reads of several ids in one path: a 207 with a result per id, or one error for all."""

import re
from collections.abc import Callable

from .representations import extension_uri
from .request_context import RequestContext
from .responses import (
    BatchItem,
    Body,
    RefusedError,
    Response,
    array_response,
    bad,
    json_response,
    multipart_response,
)

Read = Callable[[str], Body]


def read_each(context: RequestContext, tail: str, read: Read, array_type: str | None) -> Response:
    """Return a 200 for one id, a 207 for several.

    Args:
        context: the request.
        tail: the part of the path after the ids, for links.
        read: returns the record of one id, or raises RefusedError.
        array_type: the Content-Type of a 207 that is one JSON array; None for a multipart 207.

    Raises:
        RefusedError: the only id, or the list as a whole, is refused.
    """
    ids = context.extension_ids
    if len(ids) == 1:
        return json_response(read(ids[0]))
    _check(ids, context.options.batch_limit)
    items = [_item(context, tail, read, extension_id) for extension_id in ids]
    if array_type is not None:
        return array_response(items, array_type)
    return multipart_response(items, context.new_boundary(), context.options.line_ending)


def _check(ids: list[str], limit: int) -> None:
    if len(ids) > limit:
        message = f"Extension Presence Info multipart request is limited to {limit} extensions"
        raise RefusedError(400, "InvalidMultipartRequest", message)
    if not all(re.fullmatch("[0-9]+", extension_id) for extension_id in ids):
        raise bad("extensionId")
    if len(set(ids)) < len(ids):
        message = "Parameter [extensionId] names an extension twice."
        raise RefusedError(400, "CMN-406", message, "extensionId")


def _item(context: RequestContext, tail: str, read: Read, extension_id: str) -> BatchItem:
    uri = f"{extension_uri(context.base, context.account, extension_id)}/{tail}"
    href = uri if context.options.hrefs else None
    try:
        return BatchItem(extension_id, href, 200, read(extension_id))
    except RefusedError as error:
        return BatchItem(extension_id, href, error.status, error.body)
