"""How many extensions have which availability: `--count`, and the end of a long table."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from .columns import Column
from .output import Layout, OutputFormat, Renderer

if TYPE_CHECKING:
    from .. import Outcome

# In place of an availability: the extension could not be read.
ERROR = "error"


class CountRenderer(Renderer):
    """Counts outcomes by availability, and writes the counts in a format.

    Args:
        output: the format.
    """

    def __init__(self, output: OutputFormat) -> None:
        super().__init__(_LAYOUT)
        self._output = output
        self._counts: Counter[str] = Counter()

    def write(self, item: "Outcome[Any]") -> None:
        """Count one outcome."""
        self._counts[ERROR if item.value is None else item.value.availability] += 1

    def finish(self) -> None:
        """Write the counts, of every availability and of errors."""
        from .. import Availability

        with self._output.renderer(self._layout) as renderer:
            renderer.write({str(each): self._counts[each] for each in (*Availability, ERROR)})


_LAYOUT = Layout({"availability": Column(14), "extensions": Column(10)}, dict.items, is_single=True)
