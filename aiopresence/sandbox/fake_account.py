"""Builds an account of extensions and queues with varied presence, the same for the same seed."""

import random

from . import active_calls, fake_people
from .account import Account, Extension, Queue

_MESSAGES = (
    "Back at 3",
    "In a workshop until Friday",
    "Unterwegs, Rückruf morgen früh",
    "外出中",
    "Déjeuner 🍜",
    "Please write instead of calling",
)


def build(rng: random.Random, count: int) -> Account:
    """Return an account with a number of extensions."""
    account_id, *extension_ids = fake_people.ids(rng, count + 1)
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
        _set_statuses(rng, extension)
    return Account(account_id, extensions, queues)


def _extension(rng: random.Random, extension_id: str, index: int) -> Extension:
    kind, number = fake_people.kind(index), str(101 + index)
    name = fake_people.name(rng, kind)
    is_user = kind == "User"
    return Extension(
        id=extension_id,
        number=number,
        name=name,
        kind=kind,
        phone_number=fake_people.phone_number(rng),
        site=int(index % 7 == 6),
        email=fake_people.email(name, number),
        department=fake_people.department(index) if is_user else "",
        job_title=fake_people.job_title(index) if is_user else "",
    )


def _queue(rng: random.Random, extension: Extension, users: list[Extension], index: int) -> Queue:
    # The user who logs in is in every third queue, beginning with the first, so that `~` has some.
    members = rng.sample(users, min(len(users), rng.randrange(3, 13)))
    if index % 3 == 0 and users[0] not in members:
        members[0] = users[0]
    for member in members:
        member.in_a_queue = True
    # Members of every third queue may not change acceptCalls themselves.
    return Queue(extension, index % 3 != 2, {each.id: rng.random() < 0.8 for each in members})


def _set_statuses(rng: random.Random, extension: Extension) -> None:
    """Set random statuses of a user: most are available, one in eight is in a connected call."""
    calls = ["CallConnected"] * 15 + ["Ringing"] * 4 + ["OnHold"] * 3 + ["NoCall"] * 98
    status = rng.choice(calls)
    if status != "NoCall":
        active_calls.add_call(rng, extension, status, active_calls.some_time(rng))
    extension.user_status = rng.choice(["Available"] * 8 + ["Busy", "Offline"])
    extension.dnd_status_personal = rng.choice(["TakeAllCalls"] * 9 + ["DoNotAcceptAnyCalls"])
    extension.accept_call_queue_calls = rng.random() < 0.9
    extension.meeting_status = rng.choice(["Disconnected"] * 15 + ["Connected"])
    extension.message = rng.choice((*_MESSAGES, *[""] * 18))
