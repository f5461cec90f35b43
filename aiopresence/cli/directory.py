"""The directory of extension numbers and names; read only when needed, once per session."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import attrs

from .usage import InvalidArgument

if TYPE_CHECKING:
    from .. import PresenceSession

OWN_EXTENSION = "/restapi/v1.0/account/~/extension/~"

_NUMBER = re.compile("[0-9]{1,20}", re.ASCII)


@attrs.frozen
class Entry:
    """One extension: its id, and its number and name, each empty if unknown."""

    id: str
    number: str
    name: str


_directories: "WeakKeyDictionary[PresenceSession, list[Entry]]" = WeakKeyDictionary()


def check_numbers(numbers: Iterable[str]) -> None:
    """Check that everything is an extension number, before any request is sent.

    Raises:
        InvalidArgument: one is not; the message quotes it.
    """
    for number in numbers:
        if not _NUMBER.fullmatch(number):
            raise InvalidArgument(
                f"invalid extension number {number[:40]!r}: numbers are digits, such as 101"
            )


async def find_ids(session: "PresenceSession", numbers: list[str]) -> list[str]:
    """Return the ids of extension numbers, in the same order.

    Raises:
        InvalidArgument: no extension has a number, or several have it.
        PresenceError: the directory cannot be read. It requires the permission ReadAccounts.
    """
    if not numbers:
        return []
    check_numbers(numbers)
    ids_by_number: dict[str, set[str]] = {}
    for entry in await read_directory(session):
        if entry.number:
            ids_by_number.setdefault(entry.number, set()).add(entry.id)
    for number in numbers:
        if number not in ids_by_number:
            raise InvalidArgument(f"no extension has the number {number}")
        if len(ids_by_number[number]) > 1:
            ids = ", ".join(sorted(ids_by_number[number]))
            raise InvalidArgument(f"several extensions have the number {number}: {ids}")
    return [next(iter(ids_by_number[number])) for number in numbers]


async def read_names(session: "PresenceSession") -> dict[str, str]:
    """Return the names of all extensions, by id.

    Raises:
        PresenceError: the directory cannot be read. It requires the permission ReadAccounts.
    """
    return {entry.id: entry.name for entry in await read_directory(session)}


async def read_directory(session: "PresenceSession") -> list[Entry]:
    """Return the account's extensions.

    Source: RingCentral API reference, "List Extensions"; group Medium, permission ReadAccounts.

    Raises:
        PresenceError: the directory cannot be read.
    """
    if session not in _directories:
        entries = (_entry(record) for record in await _read_records(session))
        _directories[session] = [entry for entry in entries if entry is not None]
    return _directories[session]


async def read_own_extension(session: "PresenceSession") -> dict[str, Any]:
    """Return the record of one's own extension; an empty one if reading it is not permitted.

    Source: RingCentral API reference, "Get Extension"; group Light, permission ReadAccounts.

    Raises:
        PresenceError: the login failed.
    """
    from .. import NotFound, PermissionDenied

    try:
        record = (await session.request("GET", OWN_EXTENSION)).json()
    except (NotFound, PermissionDenied):
        if not session.stats.requests:
            raise  # The login was refused: no other request was sent.
        return {}
    return record if isinstance(record, dict) else {}


def _entry(record: dict[str, Any]) -> Entry | None:
    """Return the entry of a record; None if it has no id."""
    id_ = _digits(record.get("id"))
    name = record.get("name")
    number = _digits(record.get("extensionNumber"))
    return Entry(id_, number, name if isinstance(name, str) else "") if id_ else None


def _digits(value: object) -> str:
    """Return an id or a number as text; empty for anything else, such as null."""
    text = str(value) if type(value) in (int, str) else ""
    return text if _NUMBER.fullmatch(text) else ""


async def _read_records(session: "PresenceSession") -> list[dict[str, Any]]:
    records: dict[str, dict[str, Any]] = {}
    page = 1
    while True:
        response = await session.request(
            "GET",
            "/restapi/v1.0/account/~/extension",
            params={"page": page, "perPage": 1000},
        )
        body = response.json()
        on_page, has_next = _parse_page(body if isinstance(body, dict) else {})
        # A server that ignores page numbers would send the first page forever.
        new = {str(each.get("id")): each for each in on_page if str(each.get("id")) not in records}
        records |= new
        if not (new and has_next):
            return [*records.values()]
        page += 1


def _parse_page(body: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    """Return the records of a page, and whether there is a next page."""
    records, navigation = body.get("records"), body.get("navigation")
    found = [e for e in records if isinstance(e, dict)] if isinstance(records, list) else []
    return found, isinstance(navigation, dict) and "nextPage" in navigation
