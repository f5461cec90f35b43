"""When which fault happens to which account: drawn from the seed alone."""

import random
from collections.abc import Collection, Mapping, Sequence

import attrs

from .sandboxes import GATEWAY, MINUTE

CANCEL, REFUSE, LOSE, DISCONNECT = (
    "cancelled call",
    "refused webhook",
    "lost response of a webhook",
    "disconnected reader",
)
CLIENT = (CANCEL, REFUSE, LOSE, DISCONNECT)
HALF_OPEN = "half-open connection"
# Seconds of a round, and the part of it in which faults happen. The rest is quiet.
ROUND, FIRST, LAST = 60.0, 0.04, 0.62
# Connections that are half-open must stay so until that is noticed, so nothing cuts them after.
_LAST_CUT = 0.55
# Accounts on the same server, whose requests can meet the same faults.
ALIKE = ("reads", "tight", "shared")
# The account that a 429 without Retry-After silences for a whole round.
PATIENT = "patient"


@attrs.frozen
class Step:
    """One fault.

    Attributes:
        at: seconds from the start of the run.
        kind: its kind.
        account: whom it happens to.
        seed: decides its details.
    """

    at: float
    kind: str
    account: str
    seed: int


@attrs.frozen
class Round:
    """A time with faults, and a quiet one after it.

    Attributes:
        end: seconds from the start of the run to its end.
        steps: the faults in the order of their times.
    """

    end: float
    steps: Sequence[Step]


def rounds(seconds: float, seed: int, possible: Mapping[str, Collection[str]]) -> list[Round]:
    """Return the rounds of a run.

    Args:
        seconds: the length of the run.
        seed: decides everything.
        possible: the kinds of faults that each account can have.
    """
    chance = random.Random(seed)  # noqa: S311 - the same on every run
    count = max(1, round(seconds / ROUND))
    length = seconds / count
    return [
        Round(length * (number + 1), _steps(chance, number, length, possible))
        for number in range(count)
    ]


def _steps(
    chance: random.Random, number: int, length: float, possible: Mapping[str, Collection[str]]
) -> list[Step]:
    """Return the faults of one round; in the first, each kind happens to each kind of server."""
    pairs = [(account, kind) for account, known in possible.items() for kind in known]
    everywhere = [pair for pair in pairs if pair[1] != MINUTE]
    chosen = [pair for kind in kinds(possible) for pair in _first(chance, kind, possible)]
    if number:
        chosen = [pair for pair in chosen if pair[1] == MINUTE and number % 3 == 0]
    chosen += [chance.choice(everywhere) for _ in range(60 if number else 15)]
    steps = [_step(chance, kind, account, number, length) for account, kind in chosen]
    return sorted(steps, key=lambda step: step.at)


def _first(
    chance: random.Random, kind: str, possible: Mapping[str, Collection[str]]
) -> list[tuple[str, str]]:
    """Return to which accounts a kind of fault happens in the first round."""
    able = [account for account, known in possible.items() if kind in known]
    alike = [account for account in able if account in ALIKE]
    chosen = [account for account in able if account not in ALIKE]
    return [(account, kind) for account in chosen + ([chance.choice(alike)] if alike else [])]


def _step(chance: random.Random, kind: str, account: str, number: int, length: float) -> Step:
    part = chance.uniform(FIRST, _LAST_CUT if kind in GATEWAY else LAST)
    if kind == HALF_OPEN:
        part = LAST
    elif kind == MINUTE:
        part = FIRST
    return Step(length * (number + part), kind, account, chance.getrandbits(32))


def kinds(possible: Mapping[str, Collection[str]]) -> list[str]:
    """Return all kinds of faults, each of which a run must have."""
    return [*dict.fromkeys(kind for each in possible.values() for kind in each)]
