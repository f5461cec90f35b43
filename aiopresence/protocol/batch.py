"""Batches: many ids in one request, and one outcome per id out of its answer.

An answer is never short and never guessed at: an id whose part is missing, broken, or not proven
to be its own gets a DecodeError, and the other ids keep their values.
"""

import logging
from collections.abc import Sequence
from typing import TypeVar

from ..errors import ApiError, DecodeError
from . import decoding
from .batch_formats import Answer, answers, records
from .outcome import Outcome, failed, succeeded
from .rest import Response, refusal_of, refuses

T = TypeVar("T")

_log = logging.getLogger("aiopresence")

# Extensions in one request at most. Source: RingCentral API reference, "Get User Presence Status".
MAX_IDS = 30

_TOO_LARGE = frozenset({"CMN-106", "InvalidMultipartRequest"})
_DUPLICATE = "CMN-406"
_DIVISIBLE = frozenset({400, 404, 409, 413})


def plan(ids: Sequence[str]) -> list[tuple[str, ...]]:
    """Split what was asked for into requests: no id twice, and `~`, the caller, by itself."""
    unique = dict.fromkeys(ids)
    rest = tuple(id_ for id_ in unique if id_ != "~")
    return [request for request in (rest, ("~",) if "~" in unique else ()) if request]


def too_large(error: ApiError) -> bool:
    """Tell whether a request was refused for having too many ids."""
    return error.error_code in _TOO_LARGE


def divisible(ids: Sequence[str], error: ApiError) -> bool:
    """Tell whether some of the ids may be answered when they are asked for without the others."""
    about_an_id = error.parameter_name == "extensionId" or error.parameter_name in ids
    return (
        len(ids) > 1
        and error.http_status in _DIVISIBLE
        and (too_large(error) or error.error_code == _DUPLICATE or about_an_id)
    )


def read(ids: Sequence[str], response: Response, model: type[T]) -> list[Outcome[T]]:
    """Give one outcome for each id asked for, in that order, whatever the answer looks like.

    Args:
        ids: the ids of the request, each once.
        response: its answer, which is no refusal of the whole request.
        model: the record expected for each id.
    """
    try:
        if bodies := records(ids, response):
            return succeeded(ids, decoding.structure_all(bodies, model))
    except DecodeError:
        pass  # One of them has a wrong type; the others are as good as they were.
    outcomes = carefully(ids, response, model)
    for outcome in outcomes:
        if outcome.error is not None:
            # The frames of a parser hold the response as it came, and error trackers show them.
            outcome.error.__traceback__ = None
    return outcomes


def carefully(ids: Sequence[str], response: Response, model: type[T]) -> list[Outcome[T]]:
    """Do what `read` does, for answers of which nothing is taken for granted."""
    try:
        received, complete = answers(ids, response)
    except DecodeError as error:
        return failed(ids, error, response.status)
    found: dict[str, Outcome[T]] = {}
    for id_, answer in _matched(ids, received, complete=complete):
        outcome = _outcome(id_, answer, response, model)
        first = found.setdefault(id_, outcome)
        if first is not outcome and not _agree(first, outcome):
            found[id_] = Outcome(id_, error=DecodeError("two answers that contradict each other"))
    missing = DecodeError("no answer for this id, or none that is certain to be for it")
    return [found.get(id_) or Outcome(id_, error=missing) for id_ in ids]


def _matched(
    ids: Sequence[str], received: Sequence[Answer], *, complete: bool
) -> list[tuple[str, Answer]]:
    """Say which answer is for which id.

    A record's own id decides, then the id its envelope names; of an error only that, whatever its
    body is. Position decides only when there are as many answers as ids and none of them says that
    it is out of place.
    """
    if ids == ("~",):
        # Whatever id the caller turns out to have.
        return [("~", answer) for answer in received if complete]
    proven = [(None if a.is_error else a.own_id) or a.claim for a in received]
    in_order = complete and all(p in (None, i) for p, i in zip(proven, ids, strict=True))
    names = ids if in_order else proven
    if strangers := sum(name is not None and name not in ids for name in names):
        _log.warning("dropped %d answers for ids that were not asked for", strangers)
    return [(n, answer) for n, answer in zip(names, received, strict=True) if n in ids and n]


def _outcome(id_: str, answer: Answer, response: Response, model: type[T]) -> Outcome[T]:
    """Return the outcome of one answer: a status of 400 or more is that error, whatever its body.

    An error body under another status is a contradiction.
    """
    status, body = answer.status, answer.body
    if status is not None and answer.is_error:
        return Outcome(id_, status, error=refusal_of(response, body, status=status))
    if isinstance(body, DecodeError):
        return Outcome(id_, status or None, error=body)
    if refuses(body) or status not in (None, 200):
        error = DecodeError("the status contradicts the body")
        return Outcome(id_, status or None, error=error)
    if answer.has_bad_id:
        return Outcome(id_, status, error=DecodeError("not an id", "$.extension.id"))
    try:
        return Outcome(id_, 200, decoding.structure(body, model))
    except DecodeError as error:
        return Outcome(id_, status, error=error)


def _agree(one: Outcome[T], other: Outcome[T]) -> bool:
    return one == other or (one.error is not None and repr(one.error) == repr(other.error))
