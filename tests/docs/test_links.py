"""Links in the documents lead to files and headings that exist."""

import re
from pathlib import Path

import pytest

from tests.support.documents import DOCUMENTS, FENCE, ROOT, TEXT

LINK = re.compile(r"\]\((?P<inline>[^)\s]+)\)|^\[[^\]]+\]: (?P<definition>\S+)$", re.M)
HEADING = re.compile(r"^#+ (.*)$", re.M)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    prose = FENCE.sub("", TEXT[path])
    for match in LINK.finditer(prose):
        target, _, anchor = (match["inline"] or match["definition"]).partition("#")
        if target.startswith("https://"):
            continue
        to = (path.parent / target).resolve() if target else path
        assert to.exists(), f"{path.name}: {match[0]}"
        if anchor:
            text = to.read_text()
            assert anchor in {slug(each) for each in HEADING.findall(text)}, match[0]


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    words = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return words.replace(" ", "-")
