"""Writes of single extensions and of many, each of which is read afterwards."""

import time
from collections.abc import Sequence

import attrs

from aiopresence import Outcome, PresenceError, PresenceInfoRequest, PresenceInfoResponse

from . import checks
from .activity import Activity

# Seconds after which a write whose outcome is not known can no longer take effect: more than the
# server delays any request.
_UNKNOWN_FOR = 15.0


@attrs.define
class Written:
    """What is known of the message of one extension, which only this activity changes.

    Attributes:
        id: the extension.
        number: the last write.
        confirmed: the last one that was answered.
        unknown: when each of the others was sent, as it may take effect late.
    """

    id: str
    number: int = 0
    confirmed: int = 0
    unknown: dict[int, float] = attrs.field(factory=dict)

    def next(self) -> PresenceInfoRequest:
        """Return the next write, whose outcome is not known for now."""
        self.number += 1
        self.unknown[self.number] = time.monotonic()
        return PresenceInfoRequest(message=str(self.number))

    def confirm(self, message: str | None) -> str | None:
        """Take the answer of the last write; return what is wrong with it."""
        if message != str(self.number):
            return f"write {self.number} of {self.id} was answered with {message}"
        self.unknown.pop(self.number, None)
        self.confirmed = self.number
        return None

    def problem(self, message: str | None) -> str | None:
        """Return what is wrong with a message that was read; None if nothing is."""
        oldest = time.monotonic() - _UNKNOWN_FOR
        self.unknown = {number: at for number, at in self.unknown.items() if at > oldest}
        possible = {str(self.confirmed or None), *map(str, self.unknown)}
        # Of older writes that are not known any more, one may be the last to take effect.
        if str(message) in possible or self.confirmed < self.number - len(self.unknown):
            return None
        return f"{self.id} shows {message}, and {self.confirmed} was confirmed"


def _extensions(activity: Activity, part: int) -> list[Written]:
    users = activity.account.server.user_ids
    others = [id_ for id_ in users if id_ not in activity.account.now]
    return [Written(id_) for id_ in others[part::2]]


async def write_singly(activity: Activity) -> None:
    """Write one extension after the other, and read each."""
    extensions = _extensions(activity, 0)
    while not activity.stopping.is_set():
        written = activity.chance.choice(extensions)
        call = activity.session.update_user_presence_status(written.next(), extension_id=written.id)
        with activity.account.call() as known:
            try:
                answer = await activity.maybe_cancelled(1, call)
            except PresenceError as error:
                checks.check_error(activity.tally, written.id, error, known())
                answer = None
            if answer is not None:
                _count(activity, written.confirm(answer.message))
        await _read(activity, written)
        await activity.pause(0.1)


async def write_many(activity: Activity) -> None:
    """Write many extensions in one call, and read each."""
    extensions = _extensions(activity, 1)
    while not activity.stopping.is_set():
        some = activity.chance.sample(extensions, activity.chance.randint(1, len(extensions)))
        changes = {each.id: each.next() for each in some}
        call = activity.session.update_user_presence_statuses(changes)
        with activity.account.call() as known:
            try:
                outcomes = await activity.maybe_cancelled(len(some), call)
            except PresenceError as error:
                for each in some:
                    checks.check_error(activity.tally, each.id, error, known())
                outcomes = None
            if outcomes is not None:
                _check(activity, some, outcomes, known())
        for each in some:
            await _read(activity, each)
        await activity.pause(0.2)


def _check(
    activity: Activity,
    some: Sequence[Written],
    outcomes: Sequence[Outcome[PresenceInfoResponse]],
    known: checks.Call,
) -> None:
    if len(outcomes) != len(some):
        activity.tally.defect("lost", f"{len(some)} writes, {len(outcomes)} outcomes")
    for each, outcome in zip(some, outcomes, strict=False):
        if outcome.id != each.id:
            activity.tally.defect("wrong", f"the outcome of {each.id} is of {outcome.id}")
        elif outcome.value is None:
            checks.check_error(activity.tally, each.id, outcome.error, known)
        else:
            _count(activity, each.confirm(outcome.value.message))


async def _read(activity: Activity, written: Written) -> None:
    with activity.account.call() as known:
        try:
            call = activity.session.read_user_presence_status(written.id)
            record = await activity.maybe_cancelled(1, call)
        except PresenceError as error:
            checks.check_error(activity.tally, written.id, error, known())
        else:
            if record is not None:
                _count(activity, written.problem(record.message))


def _count(activity: Activity, problem: str | None) -> None:
    if problem is None:
        activity.tally.add("answered")
    else:
        activity.tally.defect("wrong", problem)
