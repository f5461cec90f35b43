"""Extension numbers and names, read once a run and only when somebody says one."""

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from .. import PresenceSession


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


async def read(session: "PresenceSession") -> list[dict[str, Any]]:
    """Read the account's extensions: id, extensionNumber, name, type, status of each.

    Source: RingCentral API reference, "List Extensions"; group Medium, permission ReadAccounts.
    """
    records: list[dict[str, Any]] = []
    page = 1
    while True:
        answer = (
            await session.request(
                "GET",
                "/restapi/v1.0/account/~/extension",
                params={"page": page, "perPage": 1000},
            )
        ).json()
        got = answer.get("records") if isinstance(answer, dict) else None
        records += [each for each in got or [] if isinstance(each, dict)]
        navigation = answer.get("navigation") if isinstance(answer, dict) else None
        if not got or not isinstance(navigation, dict) or "nextPage" not in navigation:
            return records
        page += 1
