"""What a request asks for, with the checks that all nine calls share."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from . import argument_checks
from .account import Account, Extension, Queue
from .notifications import Feed
from .request_body import parse_object
from .responses import bad, forbidden, missing

_LINE_ENDINGS = ("\r\n", "\n", "\r")


@attrs.frozen
class Options:
    """How the sandbox answers; the arguments of `Sandbox` of the same names."""

    line_ending: str
    hrefs: bool
    batch_limit: int
    page_limit: int
    paging_totals: bool

    def __attrs_post_init__(self) -> None:
        argument_checks.one_of("line_ending", self.line_ending, _LINE_ENDINGS)
        for name in ("hrefs", "paging_totals"):
            argument_checks.flag(name, getattr(self, name))
        for name in ("batch_limit", "page_limit"):
            argument_checks.whole(name, getattr(self, name), 1)


@attrs.frozen
class Ask:
    """One request to one of the nine calls.

    Args:
        account: the account it is about.
        feed: has to be told of every change.
        options: how to answer.
        base: scheme, host and port of the server.
        target: the extension ids or the queue id in the path, as they were written.
        query: the query's parameters.
        accept: the Accept header.
        body: the bytes that were sent.
        new_boundary: makes a boundary for a multipart answer.
    """

    account: Account
    feed: Feed
    options: Options
    base: str
    target: str
    query: Mapping[str, str]
    accept: str
    body: bytes
    new_boundary: Callable[[], str]

    def flag(self, name: str) -> bool | None:
        """Read a boolean of the query; None when it is not there. Only true and false count."""
        text = self.query.get(name)
        if text not in (None, "true", "false"):
            raise bad(name)
        return None if text is None else text == "true"

    def number(self, name: str, default: int) -> int:
        """Read a positive number of the query."""
        text = self.query.get(name, str(default))
        if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
            raise bad(name)
        return int(text)

    def json(self) -> dict[str, Any]:
        """Parse the body, which has to be one JSON object."""
        return parse_object(self.body)

    def extension(self, extension_id: str) -> Extension:
        """Find an extension by its id, or the caller by `~`."""
        if extension_id == "~":
            return self.account.caller
        if not re.fullmatch("[0-9]+", extension_id):
            raise bad("extensionId")
        if extension_id not in self.account.extensions:
            raise missing("extensionId")
        return self.account.extensions[extension_id]

    def only_id(self) -> str:
        """Read the path's id where a list is not taken."""
        if "," in self.target:
            raise bad("extensionId")
        return self.target

    def user(self) -> Extension:
        """Find the extension to write to, which has to be a person's."""
        extension = self.extension(self.only_id())
        if not extension.is_user:
            raise forbidden(f"Presence of a {extension.kind} extension cannot be changed.")
        return extension

    def queue(self, queue_id: str, parameter: str) -> Queue:
        """Find a call queue by its id.

        Args:
            queue_id: the id.
            parameter: where the id was, for the error.
        """
        if not re.fullmatch("[0-9]+", queue_id):
            raise bad(parameter)
        if queue_id not in self.account.queues:
            raise missing(parameter)
        return self.account.queues[queue_id]
