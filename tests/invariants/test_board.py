"""A board never shows a value older than one already shown, and is correct or stale.

The machine is RingCentral with a clock of its own, the way to us, and the reads. Each field of an
extension is a counter, so that the age of a value can be read off.
"""

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiopresence import ConnectionFailed, GetPresenceInfo, NotFound, PresenceError, PresenceEvent
from aiopresence.models import ChangeSource
from aiopresence.protocol import decoding, event_parsing
from aiopresence.protocol.pending_read import PendingRead
from aiopresence.protocol.presence_state import PresenceState
from aiopresence.protocol.server_clock import ResponseTime

IDS = ("201", "202")
# Events tell the first three; the message is only read.
FIELDS = ("userStatus", "dndStatus", "meetingStatus", "message")
NAMES = ("user_status", "dnd_status", "meeting_status", "message")
EPOCH = datetime(2026, 3, 2, 9, tzinfo=UTC)
# The least seconds that pass with each step.
STEP = 0.001
WAITS = (0.005, 0.05, 0.3, 0.9, 2.5, 30.0, 700.0)
# How long a request takes.
TIMES = (0.01, 0.4, 3.0)

Answer = GetPresenceInfo | PresenceError


@attrs.define
class Told:
    """An event on its way."""

    id_: str
    fields: dict[str, int]
    event: PresenceEvent


@attrs.define
class Reading:
    """A read: what it has not asked for, and the response on its way."""

    read: PendingRead
    unasked: deque[str]
    sent_at: datetime | None = None
    stated: datetime | None = None
    answers: list[tuple[str, Answer]] = attrs.field(factory=list)


def count(value: object) -> int:
    return int(str(value)[1:])


class Boards(RuleBasedStateMachine):
    @initialize(
        of_account=st.booleans(),
        offset=st.sampled_from((0.0, 3600.4, -77.7)),
        drift=st.sampled_from((0.0, 2e-5, -2e-5)),
        took=st.sampled_from((0.05, 3.0)),
    )
    def start(self, of_account: bool, offset: float, drift: float, took: float) -> None:
        self.now = 0.0
        self.offset, self.drift = offset, drift
        self.truth = {id_: dict.fromkeys(FIELDS, 0) for id_ in IDS}
        self.gone: set[str] = set()
        self.sequences = dict.fromkeys(IDS, 10)
        self.wire: deque[Told] = deque()
        self.reads: list[Reading] = []
        self.shown = {id_: dict.fromkeys(FIELDS, 0) for id_ in IDS}
        self.state = PresenceState(None if of_account else IDS)
        self.connect(took)

    # The clocks.

    def local(self) -> datetime:
        return EPOCH + timedelta(seconds=self.now)

    def server(self) -> datetime:
        return EPOCH + timedelta(seconds=self.offset + self.now * (1 + self.drift))

    # What happens at RingCentral.

    @rule(
        id_=st.sampled_from(IDS),
        fields=st.sets(st.sampled_from(FIELDS), min_size=1),
        times=st.integers(1, 3),
        overtakes=st.booleans(),
        received=st.integers(0, 2),
    )
    def bring_changes(
        self, id_: str, fields: set[str], times: int, overtakes: bool, received: int
    ) -> None:
        self.change_often(id_, fields, times)
        if overtakes:
            self.overtake()
        self.receive(received)

    def change_often(self, id_: str, fields: set[str], times: int) -> None:
        for _ in range(times):
            self.change(id_, fields)

    def change(self, id_: str, fields: set[str]) -> None:
        self.now += STEP
        if id_ in self.gone:
            return
        for name in fields:
            self.truth[id_][name] += 1
        told = {name: self.truth[id_][name] for name in FIELDS[:3] if name in fields}
        if told:
            self.sequences[id_] += 1
            self.wire.append(Told(id_, told, self.event(id_, told)))

    def event(self, id_: str, told: dict[str, int]) -> PresenceEvent:
        values = {name: f"{name[0]}{number}" for name, number in told.items()}
        return event_parsing.parse(
            {
                "event": "/restapi/v1.0/account/1/presence",
                "timestamp": self.server().isoformat(),
                "body": {"extensionId": id_, "sequence": self.sequences[id_], **values},
            }
        )

    def leave_or_return(self) -> None:
        self.now += STEP
        self.gone ^= {IDS[0]}

    @rule(seconds=st.sampled_from(WAITS))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    # What arrives.

    @precondition(lambda self: self.wire)
    @rule(number=st.integers(1, 2))
    def receive(self, number: int) -> None:
        for _ in range(min(number, len(self.wire))):
            self.now += STEP
            self.state.apply(self.wire.popleft().event, self.local())
            self.nothing_is_older_than_what_was_shown()

    @rule(
        how=st.sampled_from(("renumber", "spoil", "lose", "lose session", "leave", "fail")),
        restarted=st.booleans(),
        took=st.sampled_from(TIMES),
    )
    def disturb(self, how: str, restarted: bool, took: float) -> None:
        {
            "renumber": self.renumber,
            "spoil": self.spoil,
            "lose": self.lose_events,
            "lose session": lambda: self.lose_session(restarted=restarted, took=took),
            "leave": self.leave_or_return,
            "fail": self.fail,
        }[how]()

    def overtake(self) -> None:
        """Let the last event come first."""
        if self.wire:
            self.wire.appendleft(self.wire.pop())

    def renumber(self) -> None:
        self.sequences = dict.fromkeys(IDS, 0)

    def spoil(self) -> None:
        """Let an event arrive that cannot be decoded."""
        if not self.wire:
            return
        told = self.wire.popleft()
        body = {"extensionId": told.id_, "sequence": "?", "activeCalls": 7}
        self.state.apply(attrs.evolve(told.event, body=body), self.local())

    def lose_session(self, *, restarted: bool, took: float) -> None:
        self.wire.clear()
        self.connect(took)
        if restarted:
            self.renumber()
        self.state.forget_order()

    def lose_events(self) -> None:
        self.wire.clear()
        self.state.mark_stale()

    def connect(self, took: float) -> None:
        requested_at, self.now = self.local(), self.now + took / 2
        made_at, self.now = self.server(), self.now + took / 2
        self.state.observe_response(ResponseTime(made_at, requested_at, self.local()))
        self.state.mark_stale()

    # Reads. In a session two at a time are rare, but possible.

    @rule(
        id_=st.sampled_from(IDS),
        fields=st.sets(st.sampled_from(FIELDS), min_size=1),
        numbers=st.tuples(*[st.integers(0, 2)] * 4),
        took=st.sampled_from(TIMES),
    )
    def read_all(
        self, id_: str, fields: set[str], numbers: tuple[int, int, int, int], took: float
    ) -> None:
        """Read everything at once, while something changes and events arrive."""
        before, received, after, received_later = numbers
        self.begin_read(scheduled=True)
        self.change_often(id_, fields, before)
        self.receive(received)
        self.answer(-1, 2, took)
        self.change_often(id_, fields, after)
        self.merge(-1)
        self.nothing_is_older_than_what_was_shown()
        self.receive(received_later)

    @rule(
        id_=st.sampled_from(IDS),
        fields=st.sets(st.sampled_from(FIELDS[:3]), min_size=1),
        spoilt=st.booleans(),
        seconds=st.sampled_from(WAITS[:5]),
        took=st.sampled_from(TIMES),
    )
    def read_during_delay(
        self, id_: str, fields: set[str], spoilt: bool, seconds: float, took: float
    ) -> None:
        """Read while an event is late; the one after it has come, but may be unreadable."""
        self.change_often(id_, fields, 2)
        self.overtake()
        if spoilt:
            self.spoil()
        else:
            self.receive(1)
        self.begin_read(scheduled=False)
        if self.reads:
            self.answer(-1, 2, took)
            self.now += seconds
            self.receive(2)
            self.merge(-1)
            self.nothing_is_older_than_what_was_shown()

    @precondition(lambda self: len(self.reads) < 2)
    @rule(scheduled=st.booleans())
    def begin_read(self, scheduled: bool) -> None:
        if len(self.reads) == 2:
            return
        if scheduled:
            self.state.schedule_read()
        ids = None if self.state.all_stale else [*self.state.stale, *self.state.unknown_ids]
        if ids != []:
            read = self.state.begin_read(ids)
            self.reads.append(Reading(read, deque(dict.fromkeys(ids or IDS))))

    @precondition(lambda self: self.reads)
    @rule(which=st.integers(0, 1), number=st.integers(1, 2), took=st.sampled_from(TIMES))
    def answer(self, which: int, number: int, took: float) -> None:
        """Request some extensions of a read, and let RingCentral answer."""
        reading = self.reads[which % len(self.reads)]
        if reading.answers or not reading.unasked:
            return
        reading.sent_at, self.now = self.local(), self.now + took
        asked = [reading.unasked.popleft() for _ in range(min(number, len(reading.unasked)))]
        reading.answers = [(id_, self.read(id_)) for id_ in asked]
        self.now += STEP
        reading.stated = self.server().replace(microsecond=0)

    def read(self, id_: str) -> Answer:
        if id_ in self.gone:
            return NotFound(404)
        values = {name: f"{name[0]}{number}" for name, number in self.truth[id_].items()}
        return decoding.structure({"extension": {"id": id_}, **values}, GetPresenceInfo)

    @precondition(lambda self: self.reads)
    @rule(which=st.integers(0, 1))
    def merge(self, which: int) -> None:
        """Let the response of a read arrive."""
        reading = self.reads[which % len(self.reads)]
        self.now += STEP
        if reading.answers and reading.sent_at:
            now = self.local()
            self.state.observe_response(ResponseTime(reading.stated, reading.sent_at, now))
            for id_, answer in reading.answers:
                self.state.merge_read(reading.read, id_, answer, ChangeSource.BATCH, now)
            reading.answers = []
        if not reading.unasked and not reading.answers:
            self.end(reading, complete=True)

    def fail(self) -> None:
        """Let the response of a read be lost, and the read end with it."""
        if not self.reads:
            return
        reading = self.reads[0]
        error = ConnectionFailed("lost")
        for id_, _ in reading.answers:
            self.state.merge_read(
                reading.read, id_, error, ChangeSource.BATCH, self.local(), of_request=True
            )
        reading.answers = []
        self.end(reading, complete=False)

    def end(self, reading: Reading, *, complete: bool) -> None:
        self.reads.remove(reading)
        self.state.end_read(reading.read, complete=complete)

    # What must be true.

    @invariant()
    def nothing_is_older_than_what_was_shown(self) -> None:
        for id_, record in getattr(self, "state", PresenceState(None)).records.items():
            for field, name in zip(FIELDS, NAMES, strict=True):
                number = count(getattr(record, name))
                assert number >= self.shown[id_][field], (id_, field)
                self.shown[id_][field] = number

    @invariant()
    def what_is_not_stale_is_correct(self) -> None:
        """Apart from what an event on its way says."""
        state = getattr(self, "state", PresenceState(None))
        for id_, record in state.records.items():
            if state.is_stale(id_) or id_ in self.gone or id_ in state.unknown_ids:
                continue
            for field, name in [*zip(FIELDS, NAMES, strict=True)][:3]:
                number, truth = count(getattr(record, name)), self.truth[id_][field]
                coming = [told.fields.get(field) for told in self.wire if told.id_ == id_]
                assert number == truth or truth in coming, (id_, field, number, truth)

    def settle(self) -> None:
        """Deliver everything without further faults; several rounds of reads may be needed."""
        for _ in range(10):
            self.receive_all()
            self.state.retry_unreadable()
            for _ in range(3):
                while self.reads:
                    self.answer(0, 2, 0.01)
                    self.merge(0)
                self.begin_read(scheduled=False)
            self.now += 2.0

    def receive_all(self) -> None:
        while self.wire:
            self.now += STEP
            self.state.apply(self.wire.popleft().event, self.local())

    def teardown(self) -> None:
        if not hasattr(self, "state"):
            return
        self.gone.clear()
        self.state.mark_stale()
        self.settle()
        assert self.state.is_settled
        assert self.state.records == {id_: self.read(id_) for id_ in IDS}
        self.nothing_is_older_than_what_was_shown()


TestBoards: Any = Boards.TestCase
TestBoards.settings = settings(
    max_examples=settings().max_examples * 4,
    stateful_step_count=60,
    suppress_health_check=[HealthCheck.filter_too_much],
)
