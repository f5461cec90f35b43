"""Text from outside, made safe to show: escapes for whatever a terminal or a log would act on.

The characters are listed here and not taken from `str.isprintable`, which refuses ordinary text
(U+3000, NBSP, the ZWJ of emoji) and every emoji that is newer than the interpreter.
"""

import re
from collections.abc import Callable

# A flag such as that of Scotland: a black flag, its region in tag characters, the end tag.
_TAG_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f"
_UNSAFE = (
    r"\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    r"\u2028\u2029"  # line and paragraph separators
    # Invisible, so that one name passes for another. ZWJ, ZWNJ and variation selectors are not
    # here: Persian, Indic scripts and emoji need them.
    r"\xad\u115f\u1160\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
    r"\ud800-\udfff"  # lone surrogates, which no encoding can hold
)
_FOUND = re.compile(f"{_TAG_FLAG}|([{_UNSAFE}])")


def escaped(text: str) -> str:
    r"""Return a text on one line, with every unsafe character as an escape such as `\x1b`."""
    return _replaced(text, _as_escape)


def json_escaped(text: str) -> str:
    r"""Return a JSON text with every unsafe character as `\uXXXX`: the same JSON value.

    Args:
        text: JSON; the line breaks between its values stay.
    """
    return "\n".join(_replaced(line, _as_json) for line in text.split("\n"))


def _replaced(text: str, replacement: Callable[[str], str]) -> str:
    # Most texts are safe, and this is asked of every cell.
    if text.isascii() and text.isprintable():
        return text
    return _FOUND.sub(lambda found: replacement(found[1]) if found[1] else found[0], text)


def _as_escape(character: str) -> str:
    return ascii(character)[1:-1]


def _as_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
