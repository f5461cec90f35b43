"""Extension numbers and names, read once a run and only when somebody says one or asks for one."""

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import typer

if TYPE_CHECKING:
    from .. import PresenceSession

_known: "WeakKeyDictionary[PresenceSession, list[dict[str, Any]]]" = WeakKeyDictionary()


async def ids_of(session: "PresenceSession", numbers: list[str]) -> list[str]:
    """Give the ids of some extension numbers, in that order.

    Raises:
        BadParameter: there is no such extension.
        PresenceError: the directory cannot be read. It needs the permission ReadAccounts.
    """
    if not numbers:
        return []
    found = {str(each.get("extensionNumber")): str(each.get("id")) for each in await read(session)}
    for number in numbers:
        if number not in found:
            raise typer.BadParameter(f"there is no extension with the number {number!r}")
    return [found[number] for number in numbers]


async def names_of(session: "PresenceSession") -> dict[str, str]:
    """Give the names of all extensions, by id.

    Raises:
        PresenceError: the directory cannot be read. It needs the permission ReadAccounts.
    """
    return {str(each.get("id")): str(each.get("name") or "") for each in await read(session)}


async def read(session: "PresenceSession") -> list[dict[str, Any]]:
    """Read the account's extensions: id, extensionNumber, name, type, status of each.

    Source: RingCentral API reference, "List Extensions"; group Medium, permission ReadAccounts.
    """
    if session not in _known:
        _known[session] = await _read(session)
    return _known[session]


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
