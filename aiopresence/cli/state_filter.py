"""The option `--filter`: which extensions are shown, by their availability."""

from collections.abc import Sequence
from typing import Annotated, Any

import attrs
import typer

from .. import Availability

# The word for extensions that have changed since the start.
CHANGED = "changed"


@attrs.frozen
class StateFilter:
    """A filter by availability.

    Attributes:
        words: extensions in any of these states pass; all pass if it is empty.
    """

    words: tuple[str, ...] = ()

    def passes(self, availability: Availability | None, has_changed: bool = False) -> bool:
        """Return whether an extension passes; its availability is None if it cannot be read."""
        if not self.words or availability in self.words:
            return True
        return has_changed and CHANGED in self.words

    def __str__(self) -> str:
        return ",".join(self.words) or "all"


def _option(words: Sequence[str]) -> Any:
    def parse(text: str) -> StateFilter:
        found = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",")))
        for word in found:
            if word not in words:
                raise typer.BadParameter(f"{word!r} is not one of {', '.join(words)}")
        return StateFilter(found)

    def complete(incomplete: str) -> list[str]:
        """Return texts for the shell's completion: the last of the words may be incomplete."""
        before = "".join(incomplete.rpartition(",")[:2])
        texts = [before + word for word in words]
        return [text for text in texts if text.startswith(incomplete)]

    return typer.Option(
        "--filter",
        parser=parse,
        autocompletion=complete,
        metavar="STATES",
        help=f"Only extensions in these states, separated by commas: {', '.join(words)}.",
        show_default=False,
    )


FilterOption = Annotated[StateFilter | None, _option(tuple(Availability))]
WatchFilterOption = Annotated[StateFilter | None, _option((*Availability, CHANGED))]
