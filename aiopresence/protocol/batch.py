"""Split ids into batch requests, and return one outcome per id from each response.

A response is never taken for complete and never guessed at: an id whose part is missing, broken or
not certain to be its own gets a DecodeError; the other ids keep their values.
"""

import logging
from collections.abc import Sequence
from typing import TypeVar

from ..errors import ApiError, DecodeError
from . import decoding
from .batch_formats import Answer, fast_records, parse_answers
from .outcome import Outcome, failed, succeeded
from .rest import Response, error_from_body, is_error_body

T = TypeVar("T")

_log = logging.getLogger("aiopresence")

# Extensions per request. Source: RingCentral API reference, "Get User Presence Status".
MAX_IDS = 30

_TOO_LARGE = frozenset({"CMN-106", "InvalidMultipartRequest"})
_DUPLICATE = "CMN-406"
_DIVISIBLE = frozenset({400, 404, 409, 413})


def plan(ids: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the ids of each request: no id twice, and `~` in a request of its own."""
    unique = dict.fromkeys(ids)
    others = tuple(id_ for id_ in unique if id_ != "~")
    return [request for request in (others, ("~",) if "~" in unique else ()) if request]


def is_too_large(error: ApiError) -> bool:
    """Return whether a request was refused because it has too many ids."""
    return error.error_code in _TOO_LARGE


def is_divisible(ids: Sequence[str], error: ApiError) -> bool:
    """Return whether some ids of a refused request may succeed without the others."""
    about_an_id = error.parameter_name == "extensionId" or error.parameter_name in ids
    return (
        len(ids) > 1
        and error.http_status in _DIVISIBLE
        and (is_too_large(error) or error.error_code == _DUPLICATE or about_an_id)
    )


def read(ids: Sequence[str], response: Response, model: type[T]) -> list[Outcome[T]]:
    """Return one outcome for each id, in that order, whatever the response looks like.

    Args:
        ids: the ids of the request, each once.
        response: the response, with a status of success.
        model: the class of the record for each id.
    """
    try:
        if bodies := fast_records(ids, response):
            return succeeded(ids, decoding.structure_all(bodies, model))
    except DecodeError:
        pass  # A field of one record has a wrong type; the other records are valid.
    outcomes = read_strictly(ids, response, model)
    for outcome in outcomes:
        if outcome.error is not None:
            # The frames of the parser hold the unredacted response, and error trackers show them.
            outcome.error.__traceback__ = None
    return outcomes


def read_strictly(ids: Sequence[str], response: Response, model: type[T]) -> list[Outcome[T]]:
    """Return what `read` returns, by the slow path: every answer is checked and matched."""
    try:
        answers, complete = parse_answers(ids, response)
    except DecodeError as error:
        return failed(ids, error, response.status)
    outcomes: dict[str, Outcome[T]] = {}
    for id_, answer in _match(ids, answers, complete=complete):
        outcome = _outcome(id_, answer, response, model)
        first = outcomes.setdefault(id_, outcome)
        if first is not outcome and not _agree(first, outcome):
            conflict = DecodeError("two answers for this id contradict each other")
            outcomes[id_] = Outcome(id_, error=conflict)
    missing = DecodeError("no answer for this id, or none that is certain to be for it")
    return [outcomes.get(id_) or Outcome(id_, error=missing) for id_ in ids]


def _match(
    ids: Sequence[str], answers: Sequence[Answer], *, complete: bool
) -> list[tuple[str, Answer]]:
    """Return each answer with the id that it is for.

    The id in the record decides, then the id in the envelope; for an error only the envelope,
    whatever its body is. The position decides only when there are as many answers as ids and none
    of them names another id.
    """
    if ids == ("~",):
        # The caller's own id is not known, so any is right.
        return [("~", answer) for answer in answers if complete]
    named = [(None if a.is_error else a.record_id) or a.envelope_id for a in answers]
    in_order = complete and all(name in (None, id_) for name, id_ in zip(named, ids, strict=True))
    names = ids if in_order else named
    if unknown := sum(name is not None and name not in ids for name in names):
        _log.warning("ignored %d answers for ids that were not requested", unknown)
    return [(n, answer) for n, answer in zip(names, answers, strict=True) if n in ids and n]


def _outcome(id_: str, answer: Answer, response: Response, model: type[T]) -> Outcome[T]:
    """Return the outcome of one answer: a status of 400 or more is that error, whatever its body.

    An error body with another status is a contradiction.
    """
    status, body = answer.status, answer.body
    if status is not None and answer.is_error:
        return Outcome(id_, status, error=error_from_body(response, body, status=status, id_=id_))
    if isinstance(body, DecodeError):
        return Outcome(id_, status or None, error=body)
    if is_error_body(body) or status not in (None, 200):
        error = DecodeError("the status and the body contradict each other")
        return Outcome(id_, status or None, error=error)
    if answer.has_bad_id:
        return Outcome(id_, status, error=DecodeError("expected an id", "$.extension.id"))
    try:
        return Outcome(id_, 200, decoding.structure(body, model))
    except DecodeError as error:
        return Outcome(id_, status, error=error)


def _agree(one: Outcome[T], other: Outcome[T]) -> bool:
    return one == other or (one.error is not None and repr(one.error) == repr(other.error))
