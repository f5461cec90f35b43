"""The result of a bulk call: one outcome per id."""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from functools import cached_property
from typing import Generic, Literal, TypeVar, overload

import attrs

from ..errors import BatchError, PresenceError
from .frozen_records import mutable_twin
from .untracking import untrack

T = TypeVar("T")

# How ids were read: see `BatchResult.route`.
RouteTaken = Literal["batches", "account", "both"]


@attrs.frozen(weakref_slot=False)
class Outcome(Generic[T]):
    """The result for one id: a value or an error, never both.

    Attributes:
        id: the id as it was passed, as str.
        status: the HTTP status for this id; None when no response was received.
        value: the record; None when there is an error.
        error: why there is no value; None when there is one.
        of_request: whether the whole request failed, so that the error may not be about this id.
    """

    id: str
    status: int | None = None
    value: T | None = None
    error: PresenceError | None = None
    of_request: bool = attrs.field(default=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # A traceback would keep its frames in memory, and the whole response with them.
        if self.error is not None:
            self.error.__traceback__ = None

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.error is None

    def unwrap(self) -> T:
        """Return the value.

        Raises:
            PresenceError: the error of this outcome, if there is no value.
        """
        if self.error is not None:
            raise self.error.with_traceback(None)
        return self.value  # type: ignore[return-value] # no error, so there is a value


class BatchResult(Sequence[Outcome[T]]):
    """The outcomes of a bulk call: one per id that was passed, in that order, with duplicates.

    It is a sequence of Outcome; `values` and `errors` are by id.

    Attributes:
        route: how the ids were read: "batches"; "account", by pages of the account, and in batches
            those that no page had; or "both", pages and batches at the same time. None for updates.
    """

    def __init__(self, outcomes: Iterable[Outcome[T]], route: RouteTaken | None = None) -> None:
        self._outcomes = tuple(outcomes)
        self.route = route

    @overload
    def __getitem__(self, index: int) -> Outcome[T]: ...
    @overload
    def __getitem__(self, index: slice) -> "BatchResult[T]": ...
    def __getitem__(self, index: int | slice) -> "Outcome[T] | BatchResult[T]":
        if isinstance(index, slice):
            return BatchResult(self._outcomes[index], self.route)
        return self._outcomes[index]

    def __len__(self) -> int:
        return len(self._outcomes)

    def __iter__(self) -> Iterator[Outcome[T]]:
        return iter(self._outcomes)

    def __repr__(self) -> str:
        return f"<BatchResult: {len(self)} ids, {sum(not o.ok for o in self)} errors>"

    @cached_property
    def values(self) -> dict[str, T]:
        """The records of the ids that succeeded, by id."""
        return {outcome.id: outcome.unwrap() for outcome in self if outcome.ok}

    @cached_property
    def errors(self) -> dict[str, PresenceError]:
        """The errors of the ids that failed, by id."""
        return {outcome.id: outcome.error for outcome in self if outcome.error is not None}

    def raise_for_errors(self) -> None:
        """Raise the errors, if any id failed.

        Raises:
            BatchError: some ids failed; its `exceptions` are their errors, each with a note that
                names the id.
        """
        if not self.errors:
            return
        some = ", ".join([*self.errors][:3]) + (", …" if len(self.errors) > 3 else "")
        message = f"{len(self.errors)} of {len({o.id for o in self})} ids failed: {some}"
        raise BatchError(message, [_with_note(id_, error) for id_, error in self.errors.items()])


def _with_note(id_: str, error: PresenceError) -> PresenceError:
    # A copy, because ids of one failed request share an error.
    noted = copy(error)
    noted.add_note(f"extension {id_}")
    return noted


_MutableOutcome = mutable_twin(Outcome)


def succeeded(ids: Iterable[str], values: Iterable[T]) -> list[Outcome[T]]:
    """Return the outcomes of ids that have a value, with status 200; the fast path."""
    outcomes = []
    for id_, value in zip(ids, values, strict=True):
        # Faster than the constructor: see `mutable_twin`.
        outcome = _MutableOutcome()
        outcome.id, outcome.status, outcome.value = id_, 200, value
        outcome.error, outcome.of_request = None, False
        outcome.__class__ = Outcome
        outcomes.append(outcome)
    return outcomes


def keep(found: dict[str, Outcome[T]], outcomes: Iterable[Outcome[T]]) -> None:
    """Add outcomes by id; the garbage collector need not visit their values, see `untracking`.

    Args:
        found: the outcomes so far.
        outcomes: of a response, so that their values are records as they were decoded.
    """
    for outcome in outcomes:
        untrack(outcome.value)
        found[outcome.id] = outcome


def failed(ids: Iterable[str], error: PresenceError, status: int | None) -> list[Outcome[T]]:
    """Return the outcomes of ids whose whole request failed."""
    ids = tuple(ids)
    return [Outcome(id_, status, error=error, of_request=len(ids) > 1) for id_ in ids]
