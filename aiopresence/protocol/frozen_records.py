"""Build instances of frozen classes as fast as those of other classes.

The constructor of a frozen class has to set each field through `object.__setattr__`, and
`attrs.evolve` also looks up every field by name. That takes longer than all the rest of decoding a
record, or of merging an event into one. So an instance is made of a twin of the class that is not
frozen, and becomes one of the class when its fields are set.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import attrs

T = TypeVar("T")


def mutable_twin(cls: Any) -> Any:
    """Return a class whose instances become instances of `cls` by `instance.__class__ = cls`.

    Args:
        cls: a frozen class with slots, without one for weak references.

    Raises:
        TypeError: the class has another layout.
    """
    kept = ("__slots__", "__orig_bases__")
    members = {name: cls.__dict__[name] for name in kept if name in cls.__dict__}
    twin = type(f"Mutable{cls.__name__}", cls.__bases__, members)
    twin().__class__ = cls  # Raise here, and not for the first record.
    return twin


def constructor(cls: Any) -> Callable[..., Any]:
    """Return a function that makes a record of its values, faster than the class does.

    Args:
        cls: a class that has a `mutable_twin`. The function takes a value for each field, in their
            order, and checks nothing.
    """
    names = [field.name for field in attrs.fields(cls)]
    lines = [
        f"def construct({', '.join(names)}):",
        "    self = Mutable()",
        *(f"    self.{name} = {name}" for name in names),
        "    self.__class__ = cls",
        "    return self",
    ]
    values = {"Mutable": mutable_twin(cls), "cls": cls}
    # The source has only the names of fields of our own classes, no data.
    exec("\n".join(lines), values)  # noqa: S102
    construct: Callable[..., Any] = values["construct"]
    return construct


def replace(record: T, changes: Mapping[str, Any]) -> T:
    """Return a record with other values of some fields, as `attrs.evolve` without converters.

    Args:
        record: of a class that has a `mutable_twin`.
        changes: the new values by field, which must be valid: nothing checks them.
    """
    cls: Any = type(record)
    new = _copier(cls)(record)
    for name, value in changes.items():
        setattr(new, name, value)
    new.__class__ = cls
    return new  # type: ignore[no-any-return] # it has that class now


@cache
def _copier(cls: type) -> Callable[[Any], Any]:
    """Return a function that returns a copy of a record as an instance of the twin."""
    lines = [
        "def copy(record):",
        "    new = Mutable()",
        *(f"    new.{field.name} = record.{field.name}" for field in attrs.fields(cls)),
        "    return new",
    ]
    names: dict[str, Any] = {"Mutable": mutable_twin(cls)}
    # The source has only the names of fields of our own classes, no data.
    exec("\n".join(lines), names)  # noqa: S102
    copy: Callable[[Any], Any] = names["copy"]
    return copy
