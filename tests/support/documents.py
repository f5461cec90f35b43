"""The documents of the project, and the examples in them."""

import re
from pathlib import Path
from types import ModuleType

import attrs

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "aiopresence/docs").glob("*.md"))
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "benchmarks/README.md",
    *sorted((ROOT / ".github").glob("*.md")),
    *GUIDES,
]
TEXT = {path: path.read_text() for path in DOCUMENTS}
README = TEXT[ROOT / "README.md"]
# README and the guides: what users read.
MANUAL = "\n".join(TEXT[path] for path in [ROOT / "README.md", *GUIDES])

FENCE = re.compile(r"^(?:<!-- (?P<file>\S+\.py) -->\n)?```python\n(?P<code>.*?)^```$", re.M | re.S)


@attrs.frozen
class Example:
    """A block of Python in a document.

    Attributes:
        document: where it is.
        number: which one it is there, from 1.
        code: what it says.
        file: the name of the file that it is, or is a part of; None for a program of its own.
    """

    document: Path
    number: int
    code: str
    file: str | None

    @property
    def name(self) -> str:
        return f"{self.document.stem}-{self.number}"


EXAMPLES = [
    Example(path, number, match["code"], match["file"])
    for path, text in TEXT.items()
    for number, match in enumerate(FENCE.finditer(text), 1)
]
PROGRAMS = [each for each in EXAMPLES if each.file is None]
# Files of this repository, shown in full, which have tests of their own.
QUOTED = [each for each in EXAMPLES if each.file is not None and "/" in each.file]


def files() -> dict[Path, dict[str, str]]:
    """Return the test files of each document, in which blocks of the same name are joined."""
    found: dict[Path, dict[str, str]] = {}
    for each in EXAMPLES:
        if each.file is not None and each not in QUOTED:
            parts = found.setdefault(each.document, {})
            parts[each.file] = "\n\n".join(filter(None, [parts.get(each.file), each.code]))
    return found


def run(example: Example) -> None:
    """Run a program in this process."""
    module = ModuleType("__main__")
    code = compile(example.code, f"{example.document}, example {example.number}", "exec")
    exec(code, vars(module))  # noqa: S102 - our own examples
