"""Extension numbers and names, read once a run and only when somebody says one or asks for one."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import attrs
import typer

if TYPE_CHECKING:
    from .. import PresenceSession

_NUMBER = re.compile("[0-9]{1,20}", re.ASCII)


@attrs.frozen
class Entry:
    """One extension: its id, its number or "", its name or ""."""

    id: str
    number: str
    name: str


_known: "WeakKeyDictionary[PresenceSession, list[Entry]]" = WeakKeyDictionary()


def check_numbers(numbers: Iterable[str]) -> None:
    """Refuse what is no extension number before anything is sent.

    Raises:
        BadParameter: one is not digits; the message names it.
    """
    for number in numbers:
        if not _NUMBER.fullmatch(number):
            raise typer.BadParameter(
                f"{number[:40]!r} is no extension number, which is digits, such as 101"
            )


async def ids_of(session: "PresenceSession", numbers: list[str]) -> list[str]:
    """Return the ids of some extension numbers, in that order.

    Raises:
        BadParameter: there is no such extension, or more than one.
        PresenceError: the directory cannot be read. It needs the permission ReadAccounts.
    """
    if not numbers:
        return []
    check_numbers(numbers)
    found: dict[str, set[str]] = {}
    for entry in await read(session):
        if entry.number:
            found.setdefault(entry.number, set()).add(entry.id)
    for number in numbers:
        if number not in found:
            raise typer.BadParameter(f"there is no extension with the number {number!r}")
        if len(found[number]) > 1:
            ids = ", ".join(sorted(found[number]))
            raise typer.BadParameter(f"several extensions have the number {number!r}: {ids}")
    return [next(iter(found[number])) for number in numbers]


async def names_of(session: "PresenceSession") -> dict[str, str]:
    """Return the names of all extensions, by id.

    Raises:
        PresenceError: the directory cannot be read. It needs the permission ReadAccounts.
    """
    return {entry.id: entry.name for entry in await read(session)}


async def read(session: "PresenceSession") -> list[Entry]:
    """Read the account's extensions, once for each session.

    Source: RingCentral API reference, "List Extensions"; group Medium, permission ReadAccounts.
    """
    if session not in _known:
        records = await _read(session)
        entries = (_entry(record) for record in records)
        _known[session] = [entry for entry in entries if entry is not None]
    return _known[session]


def _entry(record: dict[str, Any]) -> Entry | None:
    """Return what is known of an extension; None where the record has no id to know it by."""
    id_ = _digits(record.get("id"))
    name = record.get("name")
    number = _digits(record.get("extensionNumber"))
    return Entry(id_, number, name if isinstance(name, str) else "") if id_ else None


def _digits(value: object) -> str:
    """Return an id or a number as text; an empty one for what is neither, such as null."""
    text = str(value) if type(value) in (int, str) else ""
    return text if _NUMBER.fullmatch(text) else ""


async def _read(session: "PresenceSession") -> list[dict[str, Any]]:
    records: dict[str, dict[str, Any]] = {}
    page = 1
    while True:
        response = await session.request(
            "GET",
            "/restapi/v1.0/account/~/extension",
            params={"page": page, "perPage": 1000},
        )
        answer = response.json()
        got, more = _page(answer if isinstance(answer, dict) else {})
        # A server that ignores page numbers would go on for ever.
        new = {str(each.get("id")): each for each in got if str(each.get("id")) not in records}
        records |= new
        if not (new and more):
            return [*records.values()]
        page += 1


def _page(answer: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    """Give the records of a page, and whether there is another one."""
    records, navigation = answer.get("records"), answer.get("navigation")
    got = [each for each in records if isinstance(each, dict)] if isinstance(records, list) else []
    return got, isinstance(navigation, dict) and "nextPage" in navigation
