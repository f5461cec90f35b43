"""Turns changes of the account into notifications for its subscribers.

Whoever changes an extension or a queue member calls `Feed.publish` or `Feed.publish_member`. The
feed compares the new state with the one it last published, and passes a notification with the
difference to each subscriber whose filter matches.
"""

import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import chain

import attrs

from . import clock, event_filters, permissions, representations
from .account import Account, Extension, Queue
from .event_filters import Filter
from .responses import Body, RefusedError

Deliver = Callable[[Body], None]

_FIRST_SEQUENCE = 1000  # any start will do: where RingCentral's counters start is not documented
# How many monitored lines or favorites an extension has. The sandbox keeps no lists of them: they
# are the next people of the account.
_LINES = 5


@attrs.frozen(eq=False)
class _Subscriber:
    """One filter of one subscription."""

    subscription_id: str
    filter: Filter
    deliver: Deliver


@attrs.frozen
class _Change:
    """A change of an extension.

    Attributes:
        extension_id: the id of the extension.
        sequence: the number of the change, per extension.
        fields: the changed fields, with their new values.
        calls: all calls, with sipData; None if no call has changed.
    """

    extension_id: str
    sequence: int
    fields: Body
    calls: list[Body] | None


@attrs.frozen
class CheckedFilters:
    """The event filters of a subscription.

    Attributes:
        active: the filters whose events it receives.
        disabled: the filters that a permission is missing for, as responses list them.
    """

    active: list[Filter]
    disabled: list[Body]


class Feed:
    """`Sandbox.feed`: turns changes of the account into notifications.

    Nothing is computed for extensions without subscribers.

    Args:
        account: the account.
        granted: the permissions of the user.
        seed: the same seed makes the same uuids.

    Attributes:
        as_subscribed: whether the `event` of notifications is the filter as the client wrote it.
            By default it has ids in place of `~`. RingCentral's documentation shows both.
        flat_queue_events: whether queue events are `{extensionId, callQueueId, acceptCalls}`,
            the other one of the two documented forms.
        sent: the number of notifications sent so far.
    """

    def __init__(self, account: Account, granted: permissions.Permissions, seed: int) -> None:
        self.as_subscribed = False
        self.flat_queue_events = False
        self.sent = 0
        self._account = account
        self._granted = granted
        self._ids = random.Random(seed)  # noqa: S311 - makes uuids, protects nothing
        self._everyone: list[_Subscriber] = []
        self._by_extension: defaultdict[str, list[_Subscriber]] = defaultdict(list)
        self._by_queue: defaultdict[str, list[_Subscriber]] = defaultdict(list)
        self._known: dict[str, tuple[Body, list[Body]]] = {}
        self._known_members: dict[str, dict[str, bool]] = {}
        self._sequences: defaultdict[str, int] = defaultdict(lambda: _FIRST_SEQUENCE)

    def check_filters(self, texts: Iterable[object]) -> CheckedFilters:
        """Check the event filters of a new subscription.

        Raises:
            RefusedError: 400, a filter is not valid, or there is none; or 403, permissions are
                missing for all of them.
        """
        texts = list(texts)
        found = {text: event_filters.parse(self._account, text) for text in map(str, texts)}
        wrong = [text for text in texts if not isinstance(text, str) or found[text] is None]
        if wrong or not texts:
            message = f"Event filters are wrong: {', '.join(map(str, wrong)) or 'there are none'}"
            raise RefusedError(400, "SUB-508", message, "eventFilters")
        known = [each for each in found.values() if each is not None]
        missing = {each.text: self._granted.missing(each.permissions) for each in known}
        active = [each for each in known if missing[each.text] is None]
        if not active:
            self._granted.check(*chain.from_iterable(each.permissions for each in known))
        return CheckedFilters(
            active, [_disabled(text, lack) for text, lack in missing.items() if lack]
        )

    def filter_text(self, each: Filter) -> str:
        """Return a filter as notifications and subscriptions have it."""
        return each.text if self.as_subscribed else each.resolved

    def subscribe(
        self, subscription_id: str, wanted: Iterable[Filter], deliver: Deliver
    ) -> Callable[[], None]:
        """Subscribe to changes.

        Args:
            subscription_id: the subscriptionId of the notifications.
            wanted: filters from `check_filters`. Of a plain and a detailed filter for one
                target only the detailed one gets notifications.
            deliver: called with each notification at once; it must not change it.

        Returns:
            A function that ends the subscription; a second call does nothing.
        """
        subscribers = [
            (place, _Subscriber(subscription_id, each, deliver))
            for each in event_filters.most_detailed(list(wanted))
            for place in self._subscriber_lists(each)
        ]
        for place, subscriber in subscribers:
            place.append(subscriber)
        self.remember()

        def stop() -> None:
            while subscribers:
                place, subscriber = subscribers.pop()
                place.remove(subscriber)

        return stop

    def publish(self, extension: Extension) -> None:
        """Notify subscribers of what has changed about an extension since the last time."""
        subscribers = [*self._everyone, *self._by_extension.get(extension.id, ())]
        if not subscribers:
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
        for subscriber in subscribers:
            if body := self._body(subscriber.filter, change):
                self._notify(subscriber, body)

    def publish_member(self, queue: Queue, extension_id: str) -> None:
        """Notify subscribers whether a member takes the calls of a queue, if that has changed."""
        queue_id = queue.extension.id
        subscribers = list(self._by_queue.get(queue_id, ()))
        if not subscribers:
            self._known_members.pop(queue_id, None)
            return
        accepts, known = queue.members[extension_id], self._known_members[queue_id]
        if known[extension_id] == accepts:
            return
        known[extension_id] = accepts
        for subscriber in subscribers:
            self._notify(subscriber, self._queue_body(queue_id, extension_id, accepts))

    def restart_sequences(self, to: int = 0) -> None:
        """Restart the `sequence` of all extensions after a number, as a new server does."""
        self._sequences = defaultdict(lambda: to)

    def new_id(self) -> str:
        """Return a new uuid."""
        return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))

    def _subscriber_lists(self, each: Filter) -> list[list[_Subscriber]]:
        """Return the lists that a filter's subscriber belongs to."""
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

    def remember(self) -> None:
        """Remember the present state of what is new, or has new subscribers."""
        everyone = list(self._account.extensions) if self._everyone else []
        for extension_id in chain(everyone, [key for key, on in self._by_extension.items() if on]):
            if extension_id not in self._known:
                extension = self._account.extensions[extension_id]
                self._known[extension_id] = representations.event(self._account, extension)
        for queue_id, subscribers in self._by_queue.items():
            if subscribers and queue_id not in self._known_members:
                self._known_members[queue_id] = dict(self._account.queues[queue_id].members)

    def _body(self, wanted: Filter, change: _Change) -> Body | None:
        """Return the body of the notification for a filter; None if there is nothing in it."""
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

    def _notify(self, subscriber: _Subscriber, body: Body) -> None:
        self.sent += 1
        notification = {
            "uuid": self.new_id(),
            "event": self.filter_text(subscriber.filter),
            "timestamp": timestamp(),
            "subscriptionId": subscriber.subscription_id,
            "ownerId": self._account.caller.id,
            "body": body,
        }
        subscriber.deliver(notification)


def timestamp(seconds: float = 0.0) -> str:
    """Return the present time, or that some seconds later, in RingCentral's format."""
    moment = clock.utc_now() + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06}Z"


def _details(calls: list[Body] | None, sip: bool) -> Body:
    if calls is None:
        return {}
    # That ended calls in the list do not count is a guess.
    live = sum(call["telephonyStatus"] != "NoCall" for call in calls)
    shown = calls if sip else representations.without_sip(calls)
    return {"activeCalls": shown, "totalActiveCalls": live}


def _disabled(text: str, permission: str) -> Body:
    # The text of the reason is a guess.
    return {"filter": text, "reason": permissions.CODE, "message": permissions.message(permission)}
