"""Values that are not to be shown, and errors without the values around them."""

from types import TracebackType


class Secret(str):
    """A str like any other, but for its repr: tracebacks and logs show three stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


class WithoutFrames:
    """A `with` block whose errors have no frames of what was called in it.

    Error trackers show the local variables of a traceback's frames. Those of a parser hold a
    response as it came, and with it whatever secret the server has put there.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            raise error.with_traceback(None)
