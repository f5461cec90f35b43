"""An event stream delivers each event once and in order, or reports a gap that covers it.

The machine is the gateway, as its guide has it and with what gateways may do besides, and the
connections to it. Nothing here has a network or waits.
"""

import itertools
import json
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import attrs
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from aiopresence import PresenceError, PresenceEvent
from aiopresence.protocol.event_outputs import Gap, SessionOutput
from aiopresence.protocol.event_session import EventSession
from aiopresence.redaction import Redactor

EPOCH = datetime(2026, 3, 2, tzinfo=UTC)
ACCOUNT = "/restapi/v1.0/account/~/presence"
IDS = ("201", "202")
BUFFER, TIMEOUT = 4, 180
STEP = 0.01
WAITS = (0.1, 3.0, 12.0, 40.0, 170.0, 200.0, 1000.0)


@attrs.define
class Note:
    """A notification: its number in the session, when it was sent, and first lost."""

    number: int
    uuid: str
    sent_at: float
    content: dict[str, Any]
    lost_at: float | None = None


@attrs.define
class Gateway:
    """What the gateway knows of the session that it keeps; a restart makes it forget."""

    name: int
    subscribed: bool = False
    count: int = 0
    kept: deque[Note] = attrs.field(factory=lambda: deque(maxlen=BUFFER))
    lost_at: float = inf


class Events(RuleBasedStateMachine):
    @initialize(
        echoes_first=st.booleans(),
        tokens=st.sampled_from(("every frame", "details")),
        newest_token=st.booleans(),
    )
    def start(self, echoes_first: bool, tokens: str, newest_token: bool) -> None:
        self.now = 1000.0
        self.echoes_first, self.tokens = echoes_first, tokens
        self.newest_token = newest_token
        ids = itertools.count()
        self.session = EventSession((ACCOUNT,), lambda: f"m{next(ids)}", Redactor())
        self.gateway = Gateway(0)
        self.wire: deque[str] | None = None
        self.is_dead = False  # What is sent in either direction is lost.
        self.sequences = dict.fromkeys(IDS, 10)
        self.notes: list[Note] = []
        self.got: dict[str, int] = {}
        self.gaps: list[tuple[float, float]] = []
        self.since = inf  # When there was the first subscription.
        self.last = dict.fromkeys(IDS, 0)
        self.is_reordered = False
        self.connect(0)

    # The gateway.

    @rule(id_=st.sampled_from(IDS), count=st.integers(1, 3), received=st.integers(0, 5))
    def bring_events(self, id_: str, count: int, received: int) -> None:
        self.notify(id_, count)
        self.receive(received)

    def notify(self, id_: str, count: int) -> None:
        for _ in range(count):
            self.now += STEP
            self.sequences[id_] += 1
            if self.gateway.subscribed:
                self.gateway.count += 1
                note = Note(
                    self.gateway.count,
                    f"u{len(self.notes)}",
                    self.now,
                    {
                        "uuid": f"u{len(self.notes)}",
                        "event": ACCOUNT,
                        "timestamp": (EPOCH + timedelta(seconds=self.now)).isoformat(),
                        "body": {"extensionId": id_, "sequence": self.sequences[id_]},
                    },
                )
                self.notes.append(note)
                self.gateway.kept.append(note)
                if self.wire is None or self.is_dead:
                    note.lost_at = self.now
                self.send_note(note)

    def send_note(self, note: Note) -> None:
        meta = {"type": "ServerNotification", "messageId": note.uuid}
        if self.tokens == "every frame":
            meta |= self.token(note.number)
        self.send(meta, note.content)

    def token(self, number: int) -> dict[str, Any]:
        return {"wsc": {"token": f"{self.gateway.name}.{number}", "sequence": number}}

    def send(self, meta: dict[str, Any], body: Any = None) -> None:
        if self.wire is not None and not self.is_dead:
            self.wire.append(json.dumps([meta, body]))

    def hear(self, text: str) -> None:
        meta, *_ = json.loads(text)
        if meta["type"] == "Heartbeat":
            self.send(meta)
        else:
            self.gateway.subscribed = True
            self.send({**meta, "status": 200}, {"id": "s", "disabledFilters": []})

    @rule(
        how=st.sampled_from(("cut", "cut", "broken", "dead")),
        missed=st.integers(0, BUFFER + 1),
        away=st.sampled_from((0.0, *WAITS)),
        refusal=st.sampled_from(("", "", "", "", "failed", "absent", "error", "silence")),
        received=st.integers(0, 8),
        again=st.booleans(),
    )
    def interrupt(
        self, how: str, missed: int, away: float, refusal: str, received: int, again: bool
    ) -> None:
        """Lose the connection, miss events, and connect again, perhaps twice."""
        self.lose_connection(how)
        self.notify(IDS[0], missed)
        self.wait(away)
        if self.wire is None:
            self.connect(0, refusal)
            self.receive(received)
        if again and self.wire is not None:
            self.disconnect()
            self.connect(0)
            self.receive(100)

    def connect(self, took: float, refusal: str = "") -> None:
        query = self.session.connection_query(self.now, "t")
        self.now += STEP + took
        self.wire, self.is_dead = deque(), False
        self.session.connection_made(self.now, 1.0)
        name, _, number = query.get("wsc", "").partition(".")
        is_kept = self.gateway.lost_at != inf and self.now - self.gateway.lost_at < TIMEOUT
        recovers = is_kept and name == str(self.gateway.name) and not refusal
        if refusal == "silence":
            return
        if refusal == "error" and name:
            self.send({"type": "Error", "status": 400}, {"errorCode": "WSG-401", "message": "x"})
            return
        if not recovers:
            self.gateway = Gateway(self.gateway.name + 1)
        self.gateway.lost_at = inf
        self.greet(int(number or 0) if recovers else None, has_state=refusal != "absent")

    def greet(self, recovered: int | None, *, has_state: bool) -> None:
        """Send ConnectionDetails, and what a recovery brings."""
        state = "Failed" if recovered is None else "Successful"
        details: dict[str, Any] = {
            "creationTime": (EPOCH + timedelta(seconds=self.now)).isoformat(),
            "recoveryBufferSize": BUFFER,
            "recoveryTimeout": TIMEOUT,
        }
        token = self.gateway.count if self.newest_token else recovered or 0
        meta = {"type": "ConnectionDetails", "status": 200, **self.token(token)}
        self.send(meta, details | ({"recoveryState": state} if has_state else {}))
        if recovered is not None and self.echoes_first:
            self.receive(1)  # And with it the heartbeat that marks the replay.
        if recovered is not None:
            for note in [*self.gateway.kept]:
                if note.number > recovered or self.tokens == "details":
                    self.send_note(note)

    def lose_connection(self, how: str) -> None:
        """End the connection, or let it die without a sign."""
        if self.wire is None:
            return
        if self.gateway.lost_at == inf:
            self.gateway.lost_at = self.now
        if how == "dead":
            self.is_dead = True
        else:
            self.disconnect(broken=how == "broken")

    def disconnect(self, *, broken: bool = False) -> None:
        if self.gateway.lost_at == inf:
            self.gateway.lost_at = self.now
        for note in self.notes:
            is_coming = any(f'"{note.uuid}"' in text for text in self.wire or ())
            if is_coming and note.lost_at is None:
                note.lost_at = self.now
        self.wire = None
        self.session.connection_lost(self.now, broken=broken)

    @rule(how=st.sampled_from(("duplicate", "reorder", "spoil", "subscription", "restart")))
    def disturb(self, how: str) -> None:
        {
            "restart": self.restart_gateway,
            "subscription": self.lose_subscription,
            "duplicate": self.duplicate,
            "reorder": self.reorder,
            "spoil": self.spoil,
        }[how]()

    def restart_gateway(self) -> None:
        """Let the gateway forget all sessions; numbers of events begin anew."""
        if self.wire is not None:
            self.disconnect()
        self.gateway = Gateway(self.gateway.name + 1)
        self.sequences = dict.fromkeys(IDS, 0)
        self.is_reordered = True

    def lose_subscription(self) -> None:
        """Let the gateway forget the session of a lost connection."""
        if self.wire is None:
            self.gateway = Gateway(self.gateway.name + 1)

    def duplicate(self) -> None:
        if self.wire and "ServerNotification" in self.wire[-1]:
            self.wire.append(self.wire[-1])

    def reorder(self) -> None:
        """Swap the contents of the last two notifications; their frames stay in order."""
        kept, wire = self.gateway.kept, self.wire
        if not wire or len(wire) < 2 or len(kept) < 2:
            return
        try:
            one, two = json.loads(wire[-2]), json.loads(wire[-1])
        except ValueError:
            return
        if [one[0].get("messageId"), two[0].get("messageId")] == [kept[-2].uuid, kept[-1].uuid]:
            self.is_reordered = True
            first, second = kept[-2], kept[-1]
            first.uuid, second.uuid = second.uuid, first.uuid
            first.content, second.content = second.content, first.content
            wire[-2], wire[-1] = json.dumps([one[0], two[1]]), json.dumps([two[0], one[1]])

    def spoil(self) -> None:
        """Make a frame unreadable."""
        if self.wire and "ServerNotification" in self.wire[0]:
            for note in self.notes:
                if f'"{note.uuid}"' in self.wire[0] and note.lost_at is None:
                    note.lost_at = inf  # Not before it arrives.
            self.wire[0] = self.wire[0][:-5]

    # The client.

    @rule(number=st.integers(1, 6))
    def receive(self, number: int) -> None:
        for _ in range(number):
            if not self.wire or self.is_dead:
                return
            self.now += STEP
            text = self.wire.popleft()
            try:
                self.take(self.session.receive(self.now, text))
            except PresenceError:
                self.disconnect(broken=True)
                return
            self.send_outgoing()
            if self.session.close_reason is not None:
                self.disconnect()

    def send_outgoing(self) -> None:
        while self.session.outgoing:
            text = self.session.outgoing.pop(0)
            if self.wire is not None and not self.is_dead:
                self.hear(text)
        if self.session.wants_ping:
            self.session.wants_ping = False
            if not self.is_dead:
                self.session.keepalive_received(self.now)

    @rule(seconds=st.sampled_from(WAITS))
    def wait(self, seconds: float) -> None:
        """Let the time pass. What is on the wire arrives, but for a short time."""
        if seconds > 1.0:
            self.receive(100)
        end = self.now + seconds
        while self.wire is not None and self.session.next_deadline <= end:
            self.now = max(self.now, self.session.next_deadline)
            self.take(self.session.tick(self.now))
            self.send_outgoing()
            self.receive(100)
            if self.wire is not None and self.session.close_reason is not None:
                self.disconnect()
        self.now = max(self.now, end)

    def take(self, outputs: list[SessionOutput]) -> None:
        for each in outputs:
            if isinstance(each, PresenceEvent):
                self.deliver(each)
            elif isinstance(each, Gap):
                self.gaps.append((each.since_at, self.now))
            elif self.since == inf:
                self.since = self.now

    def deliver(self, event: PresenceEvent) -> None:
        assert event.uuid is not None
        assert event.uuid not in self.got, "delivered twice"
        self.got[event.uuid] = len(self.got)
        body: Any = event.body
        if not self.is_reordered:
            assert body.sequence > self.last[body.extension_id], "the sequence went back"
        self.last[body.extension_id] = body.sequence

    # What must be true.

    @invariant()
    def what_was_not_delivered_is_covered_by_a_gap(self) -> None:
        """Whenever nothing is said to be missing, apart from what is on its way."""
        if not hasattr(self, "session") or not self.session.is_live or self.is_dead:
            return
        if self.echoes_first and self.wire:
            return  # The end of a replay is not announced: a gap shows when all has arrived.
        coming = set()
        for text in self.wire or ():
            with suppress(ValueError):
                coming |= {json.loads(text)[1].get("uuid")} if "Server" in text else set()
        for note in self.notes:
            if note.sent_at <= self.since or note.uuid in self.got or note.uuid in coming:
                continue
            is_spoilt = any(f'"{note.uuid}"' in text for text in self.wire or ())
            lost_at = note.sent_at if note.lost_at is None else note.lost_at
            covered = any(since <= lost_at and note.sent_at <= until for since, until in self.gaps)
            assert covered or is_spoilt, f"{note.uuid} is lost"

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        for _ in range(5):
            if self.wire is None:
                self.connect(0)
            self.receive(100)
            self.wait(40.0)
        assert self.session.is_live
        self.what_was_not_delivered_is_covered_by_a_gap()


TestEvents: Any = Events.TestCase
TestEvents.settings = settings(
    max_examples=settings().max_examples * 4,
    stateful_step_count=50,
    suppress_health_check=[HealthCheck.filter_too_much],
)
