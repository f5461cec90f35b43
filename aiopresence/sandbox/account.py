"""The account: its extensions, its queues and what is stored of everyone's presence."""

import random
from typing import Any

import attrs

from . import derive, people, telephone

SITES = ({"id": "main-site", "name": "Main Site"}, {"id": "781230045", "name": "North Office"})
_MESSAGES = (
    "Back at 3",
    "In a workshop until Friday",
    "Unterwegs, Rückruf morgen früh",
    "外出中",
    "Déjeuner 🍜",
    "Please write instead of calling",
)


@attrs.define(eq=False)
class Extension:
    """One extension and everything stored about its presence."""

    id: str
    number: str
    name: str
    kind: str
    phone_number: str
    site: int
    user_status: str = "Available"
    dnd_status_personal: str = "TakeAllCalls"
    accept_call_queue_calls: bool = True
    meeting_status: str = "Disconnected"
    message: str = ""
    allow_see_my_presence: bool = True
    ring_on_monitored_call: bool = False
    pick_up_calls_on_hold: bool = False
    caller_id_visibility: str = "All"
    glip_availability: str = "Available"
    glip_visibility: str = "Visible"
    in_a_queue: bool = False
    active_calls: list[dict[str, Any]] = attrs.field(factory=list)

    @property
    def is_user(self) -> bool:
        """Whether this is a person; only persons have a presence of their own."""
        return self.kind == "User"

    @property
    def telephony_status(self) -> str:
        """What all calls together come to."""
        return derive.telephony_status(call["telephonyStatus"] for call in self.active_calls)

    @property
    def dnd_status(self) -> str:
        """The personal and the queue half of do-not-disturb as one value."""
        return derive.dnd_status(
            self.dnd_status_personal, self.accept_call_queue_calls, self.in_a_queue
        )

    @property
    def presence_status(self) -> str:
        """What colleagues see first."""
        if not self.is_user:
            return "Offline"
        return derive.presence_status(
            self.user_status, self.dnd_status, self.telephony_status, self.meeting_status
        )


@attrs.define(eq=False)
class Queue:
    """A call queue: its extension, and for each member whether calls of this queue are taken."""

    extension: Extension
    editable: bool
    members: dict[str, bool]


@attrs.define(eq=False)
class Account:
    """All extensions by id, in order, and all queues by id. The first extension is the caller."""

    id: str
    extensions: dict[str, Extension]
    queues: dict[str, Queue]

    @property
    def caller(self) -> Extension:
        """The extension that `~` stands for."""
        return next(iter(self.extensions.values()))

    def queues_of(self, extension_id: str) -> list[Queue]:
        """Every queue that an extension is a member of."""
        return [queue for queue in self.queues.values() if extension_id in queue.members]


def build(rng: random.Random, count: int) -> Account:
    """Invent an account with a number of extensions and a lively mix of states."""
    account_id, *extension_ids = people.ids(rng, count + 1)
    extensions = {
        extension_id: _extension(rng, extension_id, index)
        for index, extension_id in enumerate(extension_ids)
    }
    users = [extension for extension in extensions.values() if extension.is_user]
    departments = [each for each in extensions.values() if each.kind == "Department"]
    queues = {
        extension.id: _queue(rng, extension, users, index)
        for index, extension in enumerate(departments)
    }
    for extension in users:
        _enliven(rng, extension)
    return Account(account_id, extensions, queues)


def _extension(rng: random.Random, extension_id: str, index: int) -> Extension:
    kind = people.kind(index)
    return Extension(
        id=extension_id,
        number=str(101 + index),
        name=people.name(rng, kind),
        kind=kind,
        phone_number=people.phone_number(rng),
        site=int(index % 7 == 6),
    )


def _queue(rng: random.Random, extension: Extension, users: list[Extension], index: int) -> Queue:
    # The caller is in every third queue, the first included, so that `~` has queues to read.
    members = rng.sample(users, min(len(users), rng.randrange(3, 13)))
    if index % 3 == 0 and users[0] not in members:
        members[0] = users[0]
    for member in members:
        member.in_a_queue = True
    # Every third queue does not let its members leave by themselves.
    return Queue(extension, index % 3 != 2, {each.id: rng.random() < 0.8 for each in members})


def _enliven(rng: random.Random, extension: Extension) -> None:
    """Give a user a state: most are free, one in eight talks, each other state occurs too."""
    calls = ["CallConnected"] * 15 + ["Ringing"] * 4 + ["OnHold"] * 3 + ["NoCall"] * 98
    status = rng.choice(calls)
    if status != "NoCall":
        telephone.add_call(rng, extension, status, telephone.some_time(rng))
    extension.user_status = rng.choice(["Available"] * 8 + ["Busy", "Offline"])
    extension.dnd_status_personal = rng.choice(["TakeAllCalls"] * 9 + ["DoNotAcceptAnyCalls"])
    extension.accept_call_queue_calls = rng.random() < 0.9
    extension.meeting_status = rng.choice(["Disconnected"] * 15 + ["Connected"])
    extension.message = rng.choice((*_MESSAGES, *[""] * 18))
