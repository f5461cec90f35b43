"""The list of extensions, which says who is behind a number and an id."""

from . import paging, views
from .account import Extension
from .answers import Body, Reply
from .ask import Ask


def read_extensions(ask: Ask) -> Reply:
    """GET …/account/{id}/extension: all extensions, a page at a time."""

    def view(extension: Extension) -> Body:
        return views.listed(ask.base, ask.account, extension)

    return paging.answer(ask, "extension", view)
