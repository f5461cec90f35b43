"""The list of extensions, which says who is behind a number and an id."""

from . import paging, representations
from .account import Extension
from .request_context import Ask
from .responses import Body, Reply


def read_extensions(ask: Ask) -> Reply:
    """GET …/account/{id}/extension: all extensions, a page at a time."""

    def view(extension: Extension) -> Body:
        return representations.listed(ask.base, ask.account, extension)

    return paging.answer(ask, "extension", view)
