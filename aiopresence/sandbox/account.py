"""The account: its extensions and queues, and the stored presence of each extension."""

from typing import Any

import attrs

from . import status_rules

SITES = ({"id": "main-site", "name": "Main Site"}, {"id": "781230045", "name": "North Office"})


@attrs.define(eq=False)
class Extension:
    """One extension and everything stored about its presence."""

    id: str
    number: str
    name: str
    kind: str
    phone_number: str
    site: int
    email: str = ""
    department: str = ""
    job_title: str = ""
    status: str = "Enabled"
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
        """Whether this is a person's extension; others have no presence of their own."""
        return self.kind == "User"

    @property
    def telephony_status(self) -> str:
        """telephonyStatus, computed from the calls."""
        return status_rules.telephony_status(call["telephonyStatus"] for call in self.active_calls)

    @property
    def dnd_status(self) -> str:
        """dndStatus, computed from dndStatusPersonal and acceptCallQueueCalls."""
        return status_rules.dnd_status(
            self.dnd_status_personal, self.accept_call_queue_calls, self.in_a_queue
        )

    @property
    def presence_status(self) -> str:
        """presenceStatus, computed from the statuses above."""
        if not self.is_user:
            return "Offline"
        return status_rules.presence_status(
            self.user_status, self.dnd_status, self.telephony_status, self.meeting_status
        )


@attrs.define(eq=False)
class Queue:
    """A call queue.

    Attributes:
        extension: the queue's own extension.
        editable: whether members may change acceptCalls themselves.
        members: for the id of each member, whether they take the queue's calls.
    """

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
        """The extension of the user who has logged in, `~`."""
        return next(iter(self.extensions.values()))

    def queues_of(self, extension_id: str) -> list[Queue]:
        """Return the queues that an extension is a member of."""
        return [queue for queue in self.queues.values() if extension_id in queue.members]
