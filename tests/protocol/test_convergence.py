"""The event session and the presence state together: every interleaving ends in the truth."""

import itertools
import json
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from aiopresence import GetPresenceInfo, PresenceEvent, ResyncReason
from aiopresence.models import ChangeSource
from aiopresence.protocol import decoding
from aiopresence.protocol.event_outputs import Gap, Subscribed
from aiopresence.protocol.event_session import EventSession
from aiopresence.protocol.pending_read import PendingRead
from aiopresence.protocol.presence_state import PresenceState
from aiopresence.redaction import Redactor

IDS = ("201", "202", "203")
FIELDS = {
    "userStatus": ("Available", "Busy", "Offline"),
    "telephonyStatus": ("NoCall", "Ringing", "CallConnected"),
    "dndStatus": ("TakeAllCalls", "DoNotAcceptAnyCalls"),
}
EPOCH = datetime(2026, 3, 2, tzinfo=UTC)
BUFFER = 4


class Server:
    """RingCentral's side as its guide has it: one account, one session that may be recovered."""

    def __init__(self) -> None:
        self.state = {id_: {name: values[0] for name, values in FIELDS.items()} for id_ in IDS}
        self.sequences = dict.fromkeys(IDS, 10)
        self.now = 0.0
        self.wire: deque[str] | None = None
        self.subscribed = False
        self.recoverable = False
        self.lost_at = 0.0
        self.kept: deque[tuple[int, dict[str, Any]]] = deque(maxlen=BUFFER)
        self.frame = 0
        self.session = 0
        self.count = itertools.count()
        self.told: list[str] = []

    def change(self, number: int) -> None:
        id_ = IDS[number % len(IDS)]
        names = [*FIELDS][number % 2 : number % 2 + 1 + number % 3 // 2]
        told = {}
        for name in names:
            value = FIELDS[name][number // 3 % len(FIELDS[name])]
            if self.state[id_][name] != value:
                self.state[id_][name] = told[name] = value
        if told:
            self.sequences[id_] += 1
            self.notify({"extensionId": id_, "sequence": self.sequences[id_], **told})

    def notify(self, body: dict[str, Any]) -> None:
        if not self.subscribed:
            return
        uuid = f"u{next(self.count)}"
        self.told.append(uuid)
        self.frame += 1
        note = {
            "uuid": uuid,
            "event": "/restapi/v1.0/account/1/presence",
            "timestamp": (EPOCH + timedelta(seconds=self.now, microseconds=self.frame)).isoformat(),
            "body": body,
        }
        self.kept.append((self.frame, note))
        self.send_note(self.frame, note)

    def send_note(self, frame: int, note: dict[str, Any]) -> None:
        if self.wire is not None:
            self.wire.append(self.note(frame, note))

    def note(self, frame: int, note: dict[str, Any]) -> str:
        return json.dumps([{"type": "ServerNotification", "wsc": self.wsc(frame)}, note])

    def send(self, meta: dict[str, Any], body: Any = None) -> None:
        if self.wire is not None:
            self.wire.append(json.dumps([meta, body]))

    def wsc(self, frame: int) -> dict[str, Any]:
        return {"token": f"{self.session}.{frame}", "sequence": frame}

    def connect(self, query: dict[str, str], *, willing: bool) -> None:
        self.wire = deque()
        session, _, frame = query.get("wsc", "").partition(".")
        in_time = self.now - self.lost_at < 180 and self.recoverable
        recovers = willing and in_time and session == str(self.session)
        if not recovers:
            self.session += 1
            self.subscribed = False
            self.kept.clear()
            self.frame = 0
        state = {"recoveryState": "Successful" if recovers else "Failed"} if session else {}
        created = (EPOCH + timedelta(seconds=self.now)).isoformat()
        terms = {"recoveryBufferSize": BUFFER, "creationTime": created, **state}
        at = int(frame) if recovers else 0
        self.send({"type": "ConnectionDetails", "status": 200, "wsc": self.wsc(at)}, terms)
        for number, note in [*self.kept] if recovers else ():
            if number > at:
                self.send_note(number, note)

    def hear(self, text: str) -> None:
        meta, *rest = json.loads(text)
        if meta["type"] == "Heartbeat":
            self.send(meta)
        else:
            assert meta["type"] == "ClientRequest"
            assert rest[0]["eventFilters"] == ["/restapi/v1.0/account/~/presence"]
            self.subscribed = True
            self.send({**meta, "status": 200}, {"id": "s", "disabledFilters": []})

    def lose(self) -> None:
        self.recoverable = self.recoverable or self.wire is not None
        self.lost_at = self.now if self.wire is not None else self.lost_at
        self.wire = None

    def read(self, id_: str) -> GetPresenceInfo:
        return decoding.structure({"extension": {"id": id_}, **self.state[id_]}, GetPresenceInfo)


class World:
    """The server, our side of the connection, and the reads under way."""

    def __init__(self) -> None:
        ids = itertools.count()
        self.server = Server()
        self.session = EventSession(
            ("/restapi/v1.0/account/~/presence",), lambda: f"m{next(ids)}", Redactor()
        )
        self.state = PresenceState(None)
        self.reading: PendingRead | None = None
        self.answers: deque[tuple[str, GetPresenceInfo]] = deque()
        self.unasked: deque[str] = deque()
        self.got: list[str] = []
        self.gaps: list[ResyncReason] = []
        self.subscriptions = 0
        # How many events were sent before the client had its subscription.
        self.since = 0
        self.reads = 0

    @property
    def now(self) -> float:
        return self.server.now

    def do(self, name: str, number: int) -> None:
        getattr(self, name.replace(" ", "_"))(number)

    def change(self, number: int) -> None:
        self.server.change(number)

    def wait(self, number: int) -> None:
        self.server.now += (0.1, 1.0, 60.0, 179.0, 200.0)[number % 5]

    def connect(self, number: int) -> None:
        if self.server.wire is None:
            query = self.session.connection_query(self.now, "t")
            self.server.connect(query, willing=number % 4 != 0)
            self.session.connection_made(self.now, 1.0)

    def cut(self, _: int) -> None:
        if self.server.wire is not None:
            self.server.lose()
            self.session.connection_lost(self.now)

    def receive(self, number: int) -> None:
        for _ in range(number % 4 + 1):
            if self.server.wire:
                self.take(self.server.wire.popleft())

    def take(self, text: str) -> None:
        for told in self.session.receive(self.now, text):
            if isinstance(told, PresenceEvent):
                self.got.append(told.uuid or "")
                self.state.apply(told, EPOCH)
            elif isinstance(told, Subscribed):
                self.subscriptions += 1
                if self.subscriptions == 1:
                    self.since = len(self.server.told)
                    self.state.mark_stale()
            else:
                self.gap(told)
        while self.session.outgoing:
            self.server.hear(self.session.outgoing.pop(0))

    def gap(self, gap: Gap) -> None:
        self.gaps.append(gap.reason)
        if gap.reason is ResyncReason.CONNECTION_LOST:
            self.state.forget_order()
        self.state.mark_stale()

    def duplicate(self, _: int) -> None:
        wire = self.server.wire
        if wire and "ServerNotification" in wire[-1]:
            wire.append(wire[-1])

    def reorder(self, _: int) -> None:
        """Swap the last two notifications. Their frames stay in order."""
        kept, wire = self.server.kept, self.server.wire
        if wire and len(wire) > 1 and len(kept) > 1:
            (one, first), (two, second) = kept[-2], kept[-1]
            note = self.server.note
            if [*wire][-2:] == [note(one, first), note(two, second)]:
                kept[-2], kept[-1] = (one, second), (two, first)
                wire[-2], wire[-1] = note(one, second), note(two, first)

    def begin_read(self, number: int) -> None:
        if self.reading is None and (self.state.all_stale or self.state.stale):
            ids = None if self.state.all_stale else [*self.state.stale]
            self.reading = self.state.begin_read(ids)
            self.unasked = deque(ids or IDS)
            self.reads += 1

    def serve_read(self, number: int) -> None:
        for _ in range(number % 3 + 1):
            if self.unasked:
                id_ = self.unasked.popleft()
                self.answers.append((id_, self.server.read(id_)))

    def end_read(self, _: int) -> None:
        while self.answers and self.reading is not None:
            id_, answer = self.answers.popleft()
            self.state.merge_read(self.reading, id_, answer, ChangeSource.BATCH, EPOCH)
        if self.reading is not None and not self.unasked:
            self.state.end_read(self.reading, complete=True)
            self.reading = None

    def settle(self) -> None:
        """Deliver everything, without further faults."""
        self.connect(1)
        for _ in range(100):
            self.receive(3)
            for step in (self.begin_read, self.serve_read, self.end_read):
                step(2)


OPS = (
    *("change", "change", "change", "receive", "receive", "connect", "cut", "wait"),
    *("duplicate", "reorder", "begin read", "serve read", "end read"),
)


@pytest.mark.fault
@given(st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, 23)), max_size=60))
@settings(max_examples=settings().max_examples * 8)
# A cut in a replay, whose new token is older than the rest of the replay.
@example(
    [
        *(("connect", 1), ("receive", 3), ("cut", 0)),
        *(("change", n) for n in range(8)),
        *(("connect", 1), ("receive", 0), ("cut", 0), ("connect", 1), ("receive", 3)),
    ]
)
def test_whatever_happens_the_state_becomes_that_of_the_server(ops: list[tuple[str, int]]) -> None:
    world = World()
    for name, number in ops:
        world.do(name, number)
    world.settle()
    assert world.session.is_live
    assert world.state.is_settled
    assert world.state.records == {id_: world.server.read(id_) for id_ in IDS}
    assert len(world.got) == len(set(world.got))


@given(st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, 23)), max_size=60))
@settings(max_examples=settings().max_examples * 4)
def test_events_that_were_not_delivered_are_covered_by_a_gap(ops: list[tuple[str, int]]) -> None:
    world = World()
    for name, number in ops:
        world.do(name, number)
    world.settle()
    if not world.gaps:
        assert set(world.server.told[world.since :]) <= set(world.got)


@given(st.integers(0, BUFFER - 1), st.integers(0, 3))
def test_a_recovery_within_the_buffer_delivers_every_event_once_without_a_gap(
    missed: int, before: int
) -> None:
    world = World()
    world.settle()
    for n in range(before):
        world.change(n)
    world.receive(3)
    reads = world.reads
    world.cut(0)
    for n in range(missed):
        world.server.notify({"extensionId": IDS[n % 3], "sequence": 50 + n})
    world.settle()
    assert world.got == world.server.told
    assert (world.gaps, world.subscriptions, world.reads) == ([], 1, reads)


def test_a_failed_recovery_is_one_gap_one_subscription_and_one_read() -> None:
    world = World()
    world.settle()
    assert (world.gaps, world.subscriptions, world.reads) == ([], 1, 1)
    world.cut(0)
    for n in range(30):
        world.change(n)
    world.connect(0)  # It refuses the recovery.
    world.settle()
    assert (world.gaps, world.subscriptions, world.reads) == (
        [ResyncReason.CONNECTION_LOST],
        2,
        2,
    )
    assert world.state.records == {id_: world.server.read(id_) for id_ in IDS}
