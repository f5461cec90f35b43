"""The directory of names and extension numbers; read only when needed, once per session."""

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..ids import is_id
from .console import print_notice
from .usage import InvalidArgument

if TYPE_CHECKING:
    from .. import Directory, DirectoryEntry, PresenceSession

OWN_EXTENSION = "/restapi/v1.0/account/~/extension/~"

# Seconds that a command waits for names that nobody has asked for. A guess.
NAMES_TIMEOUT = 5.0
_NUMBER = re.compile("[0-9]{1,20}", re.ASCII)
_directories: "WeakKeyDictionary[PresenceSession, Directory]" = WeakKeyDictionary()


def split_numbers(numbers: Iterable[str] | None) -> list[str]:
    """Return extension numbers, of which several may be in one text, separated by commas.

    Raises:
        InvalidArgument: one is not a number; the message quotes it.
    """
    found = [number.strip() for text in numbers or () for number in text.split(",")]
    check_numbers(found)
    return found


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


async def find_ids(session: "PresenceSession", texts: Sequence[str]) -> list[str]:
    """Return the ids that texts stand for; ids and ~ stand for themselves.

    Raises:
        InvalidArgument: nothing has a name or e-mail address, or several extensions have it.
        PresenceError: the directory cannot be read. It requires the permission ReadAccounts.
    """
    unknown = [text for text in texts if not (is_id(text) or text == "~")]
    if not unknown:
        return [*texts]
    directory = await read_directory(session)
    with _usage_errors():
        found = dict(zip(unknown, directory.ids(*unknown), strict=True))
    return [found.get(text, text) for text in texts]


async def find_numbers(session: "PresenceSession", numbers: Sequence[str]) -> list[str]:
    """Return the ids of extension numbers, in the same order.

    Raises:
        InvalidArgument: no extension has a number, or several have it.
        PresenceError: the directory cannot be read. It requires the permission ReadAccounts.
    """
    if not numbers:
        return []
    directory = await read_directory(session)
    by_number: dict[str | None, list[DirectoryEntry]] = {}
    for entry in directory.values():
        by_number.setdefault(entry.extension_number, []).append(entry)
    with _usage_errors():
        return [_find_number(directory, by_number.get(each, []), each) for each in numbers]


def _find_number(directory: "Directory", entries: "Sequence[DirectoryEntry]", number: str) -> str:
    """Return the id of that of some entries which the number stands for."""
    from .. import Directory

    if not entries and number in directory:
        raise InvalidArgument(f"no extension has the number {number}: it is an id")
    # Without the others: for `find`, an id with the same digits comes first.
    return (Directory(entries) if entries else directory).find(number).id


@contextmanager
def _usage_errors() -> Iterator[None]:
    from .. import LookupFailed

    try:
        yield
    except LookupFailed as error:
        raise InvalidArgument(str(error)) from None


async def read_names(
    session: "PresenceSession", wanted: bool | None, *, for_people: bool
) -> "Directory | None":
    """Return the directory if names are shown, and None if ids are.

    Args:
        session: reads it.
        wanted: whether names are wanted; None: if people read the output. Where reading the
            directory is not permitted or takes long, it is empty then, and there is a note.
        for_people: whether people read the output.

    Raises:
        PresenceError: the directory cannot be read. It requires the permission ReadAccounts.
    """
    from .. import Directory, NotFound, PermissionDenied

    if wanted is not None:
        return await read_directory(session) if wanted else None
    if not for_people:
        return None
    try:
        async with asyncio.timeout(NAMES_TIMEOUT):
            return await read_directory(session)
    except (NotFound, PermissionDenied) as error:
        reason = str(error)
    except TimeoutError:
        reason = f"reading them takes more than {NAMES_TIMEOUT:g} s; --names waits for them"
    print_notice(f"No names: {reason}")
    return Directory()


async def read_directory(session: "PresenceSession") -> "Directory":
    """Return the account's directory.

    Raises:
        PresenceError: it cannot be read.
    """
    if session not in _directories:
        _directories[session] = await session.read_directory()
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
