"""Every change of the account, told to whoever has subscribed to it."""

import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import chain

import attrs

from . import event_filters, permissions, representations
from .account import Account, Extension, Queue
from .event_filters import Filter
from .responses import Body, RefusedError

Deliver = Callable[[Body], None]

_FIRST_SEQUENCE = 1000  # any start will do: where RingCentral's counters start is not documented
# The sandbox keeps no lists of monitored lines and favorites: an extension's are the people that
# follow it in the account, which is invented.
_LINES = 5


@attrs.frozen(eq=False)
class _Watch:
    """One filter of one subscription."""

    subscription_id: str
    filter: Filter
    deliver: Deliver


@attrs.frozen
class _Change:
    """What is new about an extension.

    Attributes:
        extension_id: whose presence it is.
        sequence: which change of that extension it is.
        fields: the fields that changed, with their new values.
        calls: all calls, with sipData, if anything about them changed, else None.
    """

    extension_id: str
    sequence: int
    fields: Body
    calls: list[Body] | None


@attrs.frozen
class Admitted:
    """The filters of a subscription, sorted.

    Attributes:
        active: those that it will be told about.
        disabled: those that a permission is missing for, as the answer lists them.
    """

    active: list[Filter]
    disabled: list[Body]


class Feed:
    """Turns changes into notifications. Nothing is computed about what nobody has subscribed to.

    Args:
        account: what changes.
        granted: what subscribers may ask for.
        seed: the same seed makes the same uuids.

    Attributes:
        as_subscribed: `event` is the filter as it was subscribed, `~` included. RingCentral's
            documentation shows both; by default it has ids in place of `~`.
        flat_queue_events: queue events are `{extensionId, callQueueId, acceptCalls}`, the other
            one of the two documented forms.
        told: how many notifications have been made.
    """

    def __init__(self, account: Account, granted: permissions.Permissions, seed: int) -> None:
        self.as_subscribed = False
        self.flat_queue_events = False
        self.told = 0
        self._account = account
        self._granted = granted
        self._ids = random.Random(seed)  # noqa: S311 - makes uuids, protects nothing
        self._everyone: list[_Watch] = []
        self._by_extension: defaultdict[str, list[_Watch]] = defaultdict(list)
        self._by_queue: defaultdict[str, list[_Watch]] = defaultdict(list)
        self._known: dict[str, tuple[Body, list[Body]]] = {}
        self._known_members: dict[str, dict[str, bool]] = {}
        self._sequences: defaultdict[str, int] = defaultdict(lambda: _FIRST_SEQUENCE)

    def admit(self, texts: Iterable[object]) -> Admitted:
        """Check the event filters of a new subscription.

        Raises:
            RefusedError: 400, one of them makes no sense, or there are none; or 403, permissions
                are missing for all of them.
        """
        texts = list(texts)
        found = {text: event_filters.parse(self._account, text) for text in map(str, texts)}
        wrong = [text for text in texts if not isinstance(text, str) or found[text] is None]
        if wrong or not texts:
            message = f"Event filters are wrong: {', '.join(map(str, wrong)) or 'there are none'}"
            raise RefusedError(400, "SUB-508", message, "eventFilters")
        known = [each for each in found.values() if each is not None]
        missing = {each.text: self._granted.lacking(each.permissions) for each in known}
        active = [each for each in known if missing[each.text] is None]
        if not active:
            self._granted.check(*chain.from_iterable(each.permissions for each in known))
        return Admitted(active, [_disabled(text, lack) for text, lack in missing.items() if lack])

    def shown(self, each: Filter) -> str:
        """Write a filter as notifications and subscriptions tell it."""
        return each.text if self.as_subscribed else each.numbers

    def listen(
        self, subscription_id: str, wanted: Iterable[Filter], deliver: Deliver
    ) -> Callable[[], None]:
        """Begin to tell of changes.

        Args:
            subscription_id: what the notifications say they are for.
            wanted: what to tell of, from `admit`. Of a plain and a detailed filter about one
                target only the detailed one gets anything.
            deliver: called with each notification, at once. Leave unchanged what it is given.

        Returns:
            A function that ends it; a second call does nothing.
        """
        watches = [
            (place, _Watch(subscription_id, each, deliver))
            for each in event_filters.most_detailed(list(wanted))
            for place in self._places(each)
        ]
        for place, watch in watches:
            place.append(watch)
        self._learn()

        def stop() -> None:
            while watches:
                place, watch = watches.pop()
                place.remove(watch)

        return stop

    def touch(self, extension: Extension) -> None:
        """Tell what has changed about an extension since it was last told."""
        watches = [*self._everyone, *self._by_extension.get(extension.id, ())]
        if not watches:
            self._known.pop(extension.id, None)
            return
        before, calls_before = self._known[extension.id]
        now, calls = self._known[extension.id] = representations.event(self._account, extension)
        fields = {name: value for name, value in now.items() if before.get(name) != value}
        if not fields and calls == calls_before:
            return
        self._sequences[extension.id] += 1
        sequence = self._sequences[extension.id]
        change = _Change(extension.id, sequence, fields, None if calls == calls_before else calls)
        for watch in watches:
            if body := self._body(watch.filter, change):
                self._tell(watch, body)

    def touch_member(self, queue: Queue, extension_id: str) -> None:
        """Tell whether a member takes the calls of a queue, if that has changed."""
        queue_id = queue.extension.id
        watches = list(self._by_queue.get(queue_id, ()))
        if not watches:
            self._known_members.pop(queue_id, None)
            return
        accepts, known = queue.members[extension_id], self._known_members[queue_id]
        if known[extension_id] == accepts:
            return
        known[extension_id] = accepts
        for watch in watches:
            self._tell(watch, self._queue_body(queue_id, extension_id, accepts))

    def restart_sequences(self, to: int = 0) -> None:
        """Let the `sequence` of every extension go on from a number, as a new server would."""
        self._sequences = defaultdict(lambda: to)

    def new_id(self) -> str:
        """Make a uuid."""
        return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))

    def _places(self, each: Filter) -> list[list[_Watch]]:
        """Find the lists in which a filter's watch has to be."""
        if each.target is None:
            return [self._everyone]
        if each.kind == "queue":
            return [self._by_queue[each.target]]
        if each.kind in ("presence", "dnd"):
            return [self._by_extension[each.target]]
        return [self._by_extension[line] for line in self._lines(each.target)]

    def _lines(self, extension_id: str) -> list[str]:
        ids = [each.id for each in self._account.extensions.values() if each.is_user]
        start = ids.index(extension_id) + 1 if extension_id in ids else 0
        return [*ids[start:], *ids[:start]][: min(_LINES, len(ids) - 1)]

    def _learn(self) -> None:
        """Take note of how things are that somebody will be told changes of."""
        everyone = list(self._account.extensions) if self._everyone else []
        for extension_id in chain(everyone, [key for key, on in self._by_extension.items() if on]):
            if extension_id not in self._known:
                extension = self._account.extensions[extension_id]
                self._known[extension_id] = representations.event(self._account, extension)
        for queue_id, watches in self._by_queue.items():
            if watches and queue_id not in self._known_members:
                self._known_members[queue_id] = dict(self._account.queues[queue_id].members)

    def _body(self, wanted: Filter, change: _Change) -> Body | None:
        """Write what a filter gets to hear of a change, or None for nothing."""
        if wanted.kind == "dnd":
            dnd = change.fields.get("dndStatus")
            return {"extensionId": change.extension_id, "dndStatus": dnd} if dnd else None
        if wanted.kind == "line":
            line = {"extension": [{"id": change.extension_id}], "sequence": change.sequence}
            return line if "telephonyStatus" in change.fields else None
        details = _details(change.calls, wanted.sip) if wanted.detailed else {}
        if not change.fields and not details:
            return None
        return {
            "extensionId": change.extension_id,
            **change.fields,
            **details,
            "sequence": change.sequence,
            "ownerId": self._account.caller.id,
        }

    def _queue_body(self, queue_id: str, extension_id: str, accepts: bool) -> Body:
        if self.flat_queue_events:
            return {"extensionId": extension_id, "callQueueId": queue_id, "acceptCalls": accepts}
        record = {"member": {"id": extension_id}, "acceptCurrentQueueCalls": accepts}
        return {"records": [record]}

    def _tell(self, watch: _Watch, body: Body) -> None:
        self.told += 1
        notification = {
            "uuid": self.new_id(),
            "event": self.shown(watch.filter),
            "timestamp": timestamp(),
            "subscriptionId": watch.subscription_id,
            "ownerId": self._account.caller.id,
            "body": body,
        }
        watch.deliver(notification)


def timestamp(seconds: float = 0.0) -> str:
    """Write the time of day, or some seconds later, as RingCentral does."""
    moment = datetime.now(UTC)
    if seconds:
        moment = datetime.fromtimestamp(moment.timestamp() + seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06}Z"


def _details(calls: list[Body] | None, sip: bool) -> Body:
    if calls is None:
        return {}
    # That calls in the list that have ended do not count is a guess.
    live = sum(call["telephonyStatus"] != "NoCall" for call in calls)
    shown = calls if sip else representations.without_sip(calls)
    return {"activeCalls": shown, "totalActiveCalls": live}


def _disabled(text: str, permission: str) -> Body:
    # The words of the reason are a guess.
    return {"filter": text, "reason": permissions.CODE, "message": permissions.message(permission)}
