"""The rows that the page shows, as JSON.

A row is encoded once, when it changes, for all readers. Whether it is stale changes without the
rest, for many rows at once, so it is the last value of a row and is put in when the row is written.
"""

from datetime import datetime

import attrs
import orjson

from .. import Availability, DirectoryEntry, GetPresenceInfo


@attrs.frozen
class Row:
    """One extension as the page shows it.

    Attributes:
        id: the id of the extension.
        number: its extension number; None if it is not known.
        name: the name; None if it is not known.
        availability: whether the person can be reached.
        message: the status message; None if there is none.
        since: when the availability last changed; None if that was before the app has started.
        record: the presence that it is made from.
        unfinished: the row as JSON, up to the value of "stale".
    """

    id: str
    number: str | None
    name: str | None
    availability: Availability
    message: str | None
    since: datetime | None
    record: GetPresenceInfo
    unfinished: bytes = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        values = {
            "id": self.id,
            "name": self.name,
            "number": self.number,
            "availability": self.availability,
            "message": self.message,
            "since": self.since,
        }
        text = orjson.dumps(values)
        object.__setattr__(self, "unfinished", text[:-1] + b',"stale":')

    def json(self, *, stale: bool) -> bytes:
        """Return the row as JSON."""
        return self.unfinished + (b"true}" if stale else b"false}")


def new_row(
    id_: str, record: GetPresenceInfo, entry: DirectoryEntry | None, since: datetime | None
) -> Row:
    """Return the row of a record.

    Args:
        id_: the id of the extension.
        record: its presence.
        entry: its entry in the directory; None if it has none.
        since: when its availability last changed; None if that is not known.
    """
    name, number = names(record, entry)
    return Row(id_, number, name, record.availability, record.message or None, since, record)


def names(record: GetPresenceInfo, entry: DirectoryEntry | None) -> tuple[str | None, str | None]:
    """Return the name and the number of an extension, each None if it is not known."""
    number = record.extension.extension_number if record.extension else None
    if entry is None:
        return None, number
    return entry.name, entry.extension_number or number
