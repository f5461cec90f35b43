"""Text that must not be shown."""


class Secret(str):
    """A str like any other, but for its repr: tracebacks and logs show three stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"
