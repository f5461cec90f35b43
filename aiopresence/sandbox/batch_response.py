"""Several ids in one path: each is answered by itself, or the whole request is refused."""

import re
from collections.abc import Callable

from .representations import extension_uri
from .request_context import Ask
from .responses import (
    BatchItem,
    Body,
    RefusedError,
    Reply,
    array_reply,
    bad,
    json_reply,
    multipart_reply,
)

Read = Callable[[str], Body]


def answer_each(ask: Ask, tail: str, read: Read, array_type: str | None) -> Reply:
    """Answer 200 for one id, and 207 for several.

    Args:
        ask: the request.
        tail: the end of the path after the id, for the links.
        read: makes the record of one id, or raises RefusedError.
        array_type: answer several as one JSON array of this type; None means multipart.

    Raises:
        RefusedError: the one id, or the list as a whole, is refused.
    """
    ids = ask.target.split(",")
    if len(ids) == 1:
        return json_reply(read(ids[0]))
    _check(ids, ask.options.batch_limit)
    items = [_item(ask, tail, read, extension_id) for extension_id in ids]
    if array_type is not None:
        return array_reply(items, array_type)
    return multipart_reply(items, ask.new_boundary(), ask.options.line_ending)


def _check(ids: list[str], limit: int) -> None:
    if len(ids) > limit:
        message = f"Extension Presence Info multipart request is limited to {limit} extensions"
        raise RefusedError(400, "InvalidMultipartRequest", message)
    if not all(re.fullmatch("[0-9]+", extension_id) for extension_id in ids):
        raise bad("extensionId")
    if len(set(ids)) < len(ids):
        message = "Parameter [extensionId] names an extension twice."
        raise RefusedError(400, "CMN-406", message, "extensionId")


def _item(ask: Ask, tail: str, read: Read, extension_id: str) -> BatchItem:
    uri = f"{extension_uri(ask.base, ask.account, extension_id)}/{tail}"
    href = uri if ask.options.hrefs else None
    try:
        return BatchItem(extension_id, href, 200, read(extension_id))
    except RefusedError as error:
        return BatchItem(extension_id, href, error.status, error.body)
