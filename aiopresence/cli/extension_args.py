"""The extensions that a command is about: ids, names, extension numbers, or a file of ids."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import TYPE_CHECKING

import attrs
import typer

from ..ids import is_id
from .directory import check_numbers, find_ids, find_numbers
from .files import is_regular
from .id_files import file_label, ids_in, read_in_thread
from .session import EXIT_INTERRUPTED
from .usage import InvalidArgument

if TYPE_CHECKING:
    from .. import PresenceSession

_NO_IDS = (
    "no extensions: pass ids or names, ~ for your own, --number, --ids-file, or --sandbox 100;"
    " the command account reads everybody"
)


def check_texts(texts: Iterable[str] | None, *, allow_own: bool = True) -> list[str]:
    """Return what was passed for extensions, checked before any request is sent.

    Args:
        texts: ids, names and e-mail addresses.
        allow_own: whether ~ is allowed, one's own extension.

    Raises:
        InvalidArgument: one can be none of them; the message quotes it.
    """
    found = [*(texts or ())]
    for text in found:
        is_wrong_number = text.isdigit() and not is_id(text)
        if not text.strip() or is_wrong_number or (text == "~" and not allow_own):
            own = ", or ~ for your own" if allow_own else ""
            raise InvalidArgument(
                f"invalid extension {text[:40]!r}: pass an id, a name or an e-mail address{own};"
                " use --number for an extension number"
            )
    return found


def check_one(text: str | None, number: str | None, *, allow_own: bool = True) -> None:
    """Check an optional extension and an optional number, before any request is sent.

    Raises:
        InvalidArgument: one is invalid.
    """
    check_texts([text] if text is not None else [], allow_own=allow_own)
    check_numbers([number] if number is not None else [])


@attrs.frozen
class IdSource:
    """The ids that were passed to a command.

    Attributes:
        ids: the ids on the command line, or names and e-mail addresses until they are resolved.
        file: the name of a file with more ids, or None.
        count_in_file: how many are in the file; None if that is known only at its end.
    """

    ids: Sequence[str] = ()
    file: str | None = None
    count_in_file: int | None = 0

    def total(self, more: int) -> int | None:
        """Return the number of ids with `more` added; None if it is not known."""
        return None if self.count_in_file is None else len(self.ids) + self.count_in_file + more

    async def resolved(self, session: "PresenceSession") -> "IdSource":
        """Return ids in place of names and e-mail addresses; errors as `find_ids`."""
        return attrs.evolve(self, ids=await find_ids(session, self.ids))

    async def stream(self, more: Sequence[str]) -> AsyncGenerator[str, None]:
        """Yield all ids, and `more` after them.

        Raises:
            InvalidArgument: the file cannot be read, contains an invalid id, or there are no ids.
        """
        count = len(self.ids) + len(more)
        for id_ in self.ids:
            yield id_
        if self.file is not None:
            async for id_ in read_in_thread(ids_in(self.file)):
                count += 1
                yield id_
        for id_ in more:
            yield id_
        if not count:
            raise InvalidArgument(
                _NO_IDS if self.file is None else f"{file_label(self.file)} has no extension ids"
            )


def collect_ids(ids: list[str] | None, ids_file: str | None = None) -> IdSource:
    """Check the ids of the command line and of a file, before the event loop runs.

    A file that can be read only once, such as standard input, is checked while it is used.

    Raises:
        InvalidArgument: the file cannot be read, or contains an invalid id.
    """
    texts = check_texts(ids)
    if ids_file is None:
        return IdSource(texts)
    try:
        count = sum(1 for _ in ids_in(ids_file)) if is_regular(ids_file) else None
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    return IdSource(texts, ids_file, count)


async def resolve_id(
    session: "PresenceSession", text: str | None, number: str | None
) -> str | None:
    """Return the id of the extension that was passed, or of its number; None for neither.

    Raises:
        InvalidArgument: both were passed, or no extension, or several, have the name or number.
        PresenceError: the directory cannot be read.
    """
    if number is None:
        return None if text is None else (await find_ids(session, [text]))[0]
    if text is not None:
        raise InvalidArgument("pass either an extension or --number, not both")
    return (await find_numbers(session, [number]))[0]


async def resolve_ids(
    session: "PresenceSession", texts: list[str], numbers: list[str]
) -> list[str] | None:
    """Return the ids that were passed, ~ replaced by its id; None, the whole account, for none.

    Raises:
        InvalidArgument: no extension, or several, have one of the names or numbers.
        PresenceError: ~, a name or a number could not be looked up.
    """
    ids = [*await find_ids(session, texts), *await find_numbers(session, numbers)]
    if "~" in ids:
        own = (await session.read_user_presence_status("~")).extension
        ids = [own.id if each == "~" and own and own.id else each for each in ids]
    return ids or None
