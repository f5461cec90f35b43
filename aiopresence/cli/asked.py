"""Which extensions a command is about: ids, extension numbers, a file of ids, or a default."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .connect import INTERRUPTED

if TYPE_CHECKING:
    from .. import PresenceSession

# As the library has it: RingCentral's ids are 64-bit integers, without leading zeros.
_ID = re.compile("0|[1-9][0-9]{0,18}", re.ASCII)


def check(ids: Iterable[str], *, tilde: bool = True) -> None:
    """Refuse what is no id before anything is sent.

    Raises:
        BadParameter: one is none; the message names it.
    """
    for id_ in ids:
        if not (_ID.fullmatch(id_) or (tilde and id_ == "~")):
            shown = "".join(c if c.isprintable() else "?" for c in id_[:40])
            own = ", or ~ for your own" if tilde else ""
            raise typer.BadParameter(
                f"{shown!r} is no extension id, which is digits{own}; for an extension number"
                " use --number"
            )


def given(ids: list[str] | None, ids_file: str | None = None) -> list[str]:
    """Gather the ids of the command line and of a file, before a loop runs that Ctrl-C ends.

    Raises:
        BadParameter: the file cannot be read, or something is no id.
    """
    asked = [*(ids or []), *_from_file(ids_file)]
    check(asked)
    return asked


def _from_file(name: str | None) -> list[str]:
    if name is None:
        return []
    try:
        # Some programs begin files with a mark that is no part of the first id.
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig").replace(",", " ").split()
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise typer.BadParameter(f"{name} cannot be read: {reason}") from None


async def one_id(session: "PresenceSession", id_: str | None, number: str | None) -> str | None:
    """Give the one id that was named, by itself or by its number; None when none was.

    Raises:
        BadParameter: both were, or there is no such number.
    """
    from .directory import ids_of

    if number is None:
        return id_
    if id_ is not None:
        raise typer.BadParameter("name an id or a --number, not both")
    return (await ids_of(session, [number]))[0]
