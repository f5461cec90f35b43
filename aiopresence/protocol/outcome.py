"""What a bulk call gives back: one outcome for every id it was asked for."""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from functools import cached_property
from typing import Generic, TypeVar, overload

import attrs

from ..errors import BatchError, PresenceError
from .frozen import unfrozen

T = TypeVar("T")


@attrs.frozen(weakref_slot=False)
class Outcome(Generic[T]):
    """One id's answer: a value or an error, never both.

    Attributes:
        id: the id as it was asked for, as str.
        status: the HTTP status of this id's answer; None when none was received.
        value: the record, or None when there is an error.
        error: what went wrong, or None when there is a value.
        of_request: whether the whole request failed, so that the error says nothing of this id.
    """

    id: str
    status: int | None = None
    value: T | None = None
    error: PresenceError | None = None
    of_request: bool = attrs.field(default=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # A kept traceback would keep its frames alive, and the whole answer with them.
        if self.error is not None:
            self.error.__traceback__ = None

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.error is None

    def unwrap(self) -> T:
        """Give the value.

        Raises:
            PresenceError: the error, when there is one instead.
        """
        if self.error is not None:
            raise self.error.with_traceback(None)
        return self.value  # type: ignore[return-value] # no error, so there is a value


class BatchResult(Sequence[Outcome[T]]):
    """The outcomes of a bulk call: one per id asked for, in that order, duplicates included.

    A sequence of Outcome. By id there are `values` and `errors`.
    """

    def __init__(self, outcomes: Iterable[Outcome[T]]) -> None:
        self._outcomes = tuple(outcomes)

    @overload
    def __getitem__(self, index: int) -> Outcome[T]: ...
    @overload
    def __getitem__(self, index: slice) -> "BatchResult[T]": ...
    def __getitem__(self, index: int | slice) -> "Outcome[T] | BatchResult[T]":
        if isinstance(index, slice):
            return BatchResult(self._outcomes[index])
        return self._outcomes[index]

    def __len__(self) -> int:
        return len(self._outcomes)

    def __iter__(self) -> Iterator[Outcome[T]]:
        return iter(self._outcomes)

    def __repr__(self) -> str:
        return f"<BatchResult: {len(self)} ids, {sum(not o.ok for o in self)} errors>"

    @cached_property
    def values(self) -> dict[str, T]:
        """The records of the ids that have one, by id."""
        return {outcome.id: outcome.unwrap() for outcome in self if outcome.ok}

    @cached_property
    def errors(self) -> dict[str, PresenceError]:
        """The errors of the ids that have one, by id."""
        return {outcome.id: outcome.error for outcome in self if outcome.error is not None}

    def raise_for_errors(self) -> None:
        """Do nothing when every id has a value.

        Raises:
            BatchError: otherwise, with one error per failed id in `.exceptions`; a note on each
                names the id.
        """
        if not self.errors:
            return
        some = ", ".join([*self.errors][:3]) + (", …" if len(self.errors) > 3 else "")
        message = f"{len(self.errors)} of {len({o.id for o in self})} ids failed: {some}"
        raise BatchError(message, [_of(id_, error) for id_, error in self.errors.items()])


def _of(id_: str, error: PresenceError) -> PresenceError:
    # A copy, because ids that failed together share one error.
    own = copy(error)
    own.add_note(f"extension {id_}")
    return own


_Open = unfrozen(Outcome)


def succeeded(ids: Iterable[str], values: Iterable[T]) -> list[Outcome[T]]:
    """Give each id its value, with status 200."""
    outcomes = []
    for id_, value in zip(ids, values, strict=True):
        it = _Open()
        it.id, it.status, it.value, it.error, it.of_request = id_, 200, value, None, False
        it.__class__ = Outcome
        outcomes.append(it)
    return outcomes


def failed(ids: Iterable[str], error: PresenceError, status: int | None) -> list[Outcome[T]]:
    """Return the error of a whole request for each of its ids."""
    ids = tuple(ids)
    return [Outcome(id_, status, error=error, of_request=len(ids) > 1) for id_ in ids]
