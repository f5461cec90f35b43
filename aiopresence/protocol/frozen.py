"""Filling frozen records, thousands of them a second.

A frozen record lets nobody set its fields, so that its own __init__ has to go around that, field by
field, which takes longer than all the rest of reading it. Here an object of another class, with the
same slots and not frozen, is filled; then it becomes a record by its class.
"""

from typing import Any


def unfrozen(cls: Any) -> Any:
    """Make a class whose objects, once filled, can be made records: `it.__class__ = cls`.

    Args:
        cls: a frozen and slotted class, without a slot for weak references.

    Raises:
        TypeError: it has another layout.
    """
    kept = ("__slots__", "__orig_bases__")
    members = {name: cls.__dict__[name] for name in kept if name in cls.__dict__}
    open_class = type(f"Open{cls.__name__}", cls.__bases__, members)
    open_class().__class__ = cls  # Fails here and now where it would fail every time.
    return open_class
