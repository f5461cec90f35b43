"""The short names of event filters, such as queue:120."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from .directory import find_ids
from .extension_args import check_texts
from .usage import InvalidArgument

if TYPE_CHECKING:
    from .. import PresenceSession

_KINDS = ("extension", "dnd", "queue")


@attrs.frozen
class FilterName:
    """A short name of an event filter.

    Attributes:
        kind: extension, dnd, queue, account, or path.
        text: the extension that it is about; of a path, the path itself.
    """

    kind: str
    text: str = ""

    def path(self, id_: str, detailed: bool) -> str:
        """Return RingCentral's event filter.

        Args:
            id_: the id of the extension.
            detailed: whether events have active calls.
        """
        from .. import filters

        match self.kind:
            case "account":
                return filters.account_presence(detailed=detailed)
            case "extension":
                return filters.extension_presence(id_, detailed=detailed)
            case "dnd":
                return filters.extension_dnd(id_)
            case "queue":
                return filters.call_queue_presence(id_)
        return self.text


def parse_filter(name: str) -> FilterName:
    """Return a short name, or a path.

    Raises:
        InvalidArgument: it is neither.
    """
    kind, _, text = name.partition(":")
    if name.startswith("/restapi/"):
        return FilterName("path", name)
    if name == "account":
        return FilterName(name)
    if kind in _KINDS and text:
        check_texts([text], allow_own=kind != "queue")
        return FilterName(kind, text)
    raise InvalidArgument(
        f"unknown filter {name!r}: use account, extension:ID, dnd:ID, queue:ID (or a name in place"
        " of the id), or a path that starts with /restapi/"
    )


async def event_filters(
    session: "PresenceSession", names: Iterable[FilterName], detailed: bool
) -> list[str]:
    """Return RingCentral's event filters for short names; errors as `find_ids`."""
    names = [*names]
    texts = [name.text for name in names if name.kind in _KINDS]
    ids = dict(zip(texts, await find_ids(session, texts), strict=True))
    return [name.path(ids.get(name.text, ""), detailed) for name in names]
