"""Convert records to JSON values and to the text of table and CSV cells."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

import attrs

from ..escaping import escaped


def plain(value: Any) -> Any:
    """Convert a record, or lists and mappings with records in them, to JSON values."""
    if attrs.has(type(value)):
        from .. import to_dict

        return to_dict(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value


def camel(name: str) -> str:
    """Return RingCentral's name of a field."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def cell(value: Any) -> str:
    """Return a value as text on one line, without control characters."""
    return escaped(text_of(value))


def text_of(value: Any) -> str:
    """Return a value as text; records and lists become JSON with their text unescaped."""
    converted = plain(value)
    if isinstance(converted, (dict, list, bool)):
        return json.dumps(converted, ensure_ascii=False)
    return "" if converted is None else str(converted)


def document_text(value: Any, indent: int | None = None) -> str:
    """Return JSON text; pure ASCII if standard output has another encoding than UTF-8."""
    only_ascii = not (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(value, ensure_ascii=only_ascii, indent=indent)
