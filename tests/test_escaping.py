"""What is shown of text from outside: nothing that acts on a terminal, and all ordinary text."""

import json

import pytest

from aiopresence.errors import one_line
from aiopresence.escaping import escaped, json_escaped

UNSAFE = {
    "ESC": "\x1b",
    "NUL": "\0",
    "newline": "\n",
    "carriage return": "\r",
    "tab": "\t",
    "DEL": "\x7f",
    "CSI of C1": "\x9b",
    "NEL": "\x85",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "override": "\u202e",
    "isolate": "\u2066",
    "right-to-left mark": "\u200f",
    "Arabic letter mark": "\u061c",
    "zero-width space": "\u200b",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "soft hyphen": "\xad",
    "lone surrogate": "\ud800",
    "tag letter": "\U000e0041",
}
ORDINARY = {
    "ideographic space": "山田\u3000太郎",
    "no-break space": "12\u00a0000",
    "narrow no-break space": "12\u202f000",
    "ZWJ sequence": "👩\u200d👩\u200d👧",
    "variation selector": "❤\ufe0f",
    "ideographic variation": "葛\U000e0100",
    "ZWNJ of Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0646\u062f",
    "skin tone": "👋🏽",
    "emoji of Unicode 17": "\U0001fac8 \U0001faea",
    "emoji that is not assigned yet": "\U0001faff\U0001f6d9",
    "flag with tags": "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "combining marks": "e\u0301 ก็",
    "private use": "\ue0b0",
}


@pytest.mark.fault
@pytest.mark.parametrize("name", UNSAFE)
def test_what_acts_on_a_terminal_is_escaped(name: str) -> None:
    character = UNSAFE[name]
    assert escaped(f"a{character}b") == f"a{ascii(character)[1:-1]}b"
    assert escaped(f"a{character}b").isprintable()


@pytest.mark.parametrize("name", UNSAFE)
def test_escaped_json_has_the_same_value(name: str) -> None:
    value = {UNSAFE[name]: [f"é{UNSAFE[name]}z"]}
    text = json_escaped(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(text) == value
    assert UNSAFE[name] not in text.replace("\n", "")
    assert "é" in text


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_text_stays(name: str) -> None:
    text = ORDINARY[name]
    assert escaped(text) == text
    assert one_line(text) == text
    assert json_escaped(text) == text


def test_tags_are_kept_in_a_flag_only() -> None:
    assert escaped("🏴\U000e0067") == "🏴\\U000e0067"
    assert escaped("a\U000e0067\U000e007f") == "a\\U000e0067\\U000e007f"
