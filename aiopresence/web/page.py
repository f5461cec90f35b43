"""The page: one static file, whose script and style a policy allows by their hashes."""

import base64
import re
from functools import cache
from hashlib import sha256
from importlib.resources import files

import attrs


@attrs.frozen
class Page:
    """The page.

    Attributes:
        html: its bytes.
        policy: its Content-Security-Policy.
    """

    html: bytes
    policy: str


@cache
def page() -> Page:
    """Return the page."""
    html = files(__package__).joinpath("index.html").read_bytes()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash('script', html)}",
            f"style-src {_hash('style', html)}",
            "img-src data:",  # its icon
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    return Page(html, policy)


def _hash(tag: str, html: bytes) -> str:
    [content] = re.findall(rb"<%b>(.*?)</%b>" % (tag.encode(), tag.encode()), html, re.DOTALL)
    return f"'sha256-{base64.b64encode(sha256(content).digest()).decode()}'"
