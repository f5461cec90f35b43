"""Split what a terminal sends into keys.

A key is one character, or a sequence that begins with Escape: `ESC [ A` is the arrow up. The key
Escape itself sends only the first character of such a sequence; what follows decides which it is,
or that nothing follows for a moment.
"""

import re

_KEY = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[@-~])?|.", re.DOTALL)
_INCOMPLETE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")
# Source: xterm, "Control Sequences", PC-Style Function Keys; Home and End have several.
_NAMES = {
    **{f"\x1b{kind}A": "up" for kind in "[O"},
    **{f"\x1b{kind}B": "down" for kind in "[O"},
    **{f"\x1b{code}": "home" for code in ("[H", "OH", "[1~", "[7~")},
    **{f"\x1b{code}": "end" for code in ("[F", "OF", "[4~", "[8~")},
    "\x1b[5~": "pageup",
    "\x1b[6~": "pagedown",
    "\x1b": "escape",
    "\n": "enter",
    "\r": "enter",
    "\b": "backspace",
    "\x7f": "backspace",
}


def split_keys(text: str, *, is_complete: bool) -> tuple[list[str], str]:
    """Return the keys in a text, and the rest that may be the beginning of another one.

    Args:
        text: what was read.
        is_complete: whether nothing follows, so that there is no rest.

    Returns:
        Keys by their name, such as "pageup", or as one character. Other keys are left out.
    """
    rest = "" if is_complete else _rest(text)
    found = _KEY.findall(text.removesuffix(rest))
    names = (_NAMES.get(key, key) for key in found)
    return [name for name in names if not name.startswith("\x1b")], rest


def _rest(text: str) -> str:
    found = _INCOMPLETE.search(text)
    return found[0] if found else ""
