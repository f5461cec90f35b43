"""One request to an endpoint, and the checks of parameters that several endpoints share."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from . import argument_checks
from .account import Account, Extension, Queue
from .exchange import Received
from .notifications import Feed
from .request_body import parse_object
from .responses import bad, forbidden, missing

_LINE_ENDINGS = ("\r\n", "\n", "\r")


@attrs.frozen
class ResponseOptions:
    """How responses look: the arguments of `Sandbox` of the same names.

    Raises:
        UsageError: one of them has the wrong type or is out of range.
    """

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


@attrs.frozen(kw_only=True)
class RequestContext:
    """One request and what its handler needs. Checks that fail raise RefusedError.

    Attributes:
        received: the request as it arrived.
        params: the parameters of the path, as on the wire.
        query: the decoded parameters of the query; of one that occurs twice, the last.
        account: the account that the request is about.
        feed: publishes the changes that a handler makes.
        options: how responses look.
        base: scheme, host and port of the server, for links.
        new_boundary: returns a new boundary for a multipart response.
    """

    received: Received
    params: Mapping[str, str]
    query: Mapping[str, str]
    account: Account
    feed: Feed
    options: ResponseOptions
    base: str
    new_boundary: Callable[[], str]

    def header(self, name: str) -> str:
        """Return a request header by its name in lower case; "" if it is missing."""
        return self.received.headers.get(name, "")

    def flag(self, name: str) -> bool | None:
        """Parse a boolean of the query, `true` or `false`; None if it is missing."""
        text = self.query.get(name)
        if text not in (None, "true", "false"):
            raise bad(name)
        return None if text is None else text == "true"

    def number(self, name: str, default: int) -> int:
        """Parse a positive whole number of the query."""
        text = self.query.get(name, str(default))
        if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
            raise bad(name)
        return int(text)

    def json(self) -> dict[str, Any]:
        """Parse the body, which must be a JSON object."""
        return parse_object(self.received.body)

    @property
    def extension_ids(self) -> list[str]:
        """The extension ids in the path, not checked."""
        return self.params["extension_ids"].split(",")

    def extension_id(self) -> str:
        """Return the one extension id in the path."""
        if len(self.extension_ids) > 1:
            raise bad("extensionId")
        return self.extension_ids[0]

    def extension(self, extension_id: str) -> Extension:
        """Return the extension with an id; `~` is the caller."""
        if extension_id == "~":
            return self.account.caller
        if not re.fullmatch("[0-9]+", extension_id):
            raise bad("extensionId")
        if extension_id not in self.account.extensions:
            raise missing("extensionId")
        return self.account.extensions[extension_id]

    def user(self) -> Extension:
        """Return the extension in the path, for a write: it must be a person's."""
        extension = self.extension(self.extension_id())
        if not extension.is_user:
            raise forbidden(f"Presence of a {extension.kind} extension cannot be changed.")
        return extension

    def queue(self, queue_id: str, parameter: str) -> Queue:
        """Return the call queue with an id.

        Args:
            queue_id: the id.
            parameter: where the request has the id, for the error.
        """
        if not re.fullmatch("[0-9]+", queue_id):
            raise bad(parameter)
        if queue_id not in self.account.queues:
            raise missing(parameter)
        return self.account.queues[queue_id]
