"""The sandbox's remote control over its account: who is there, and what they do."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from ..errors import UsageError
from . import active_calls, argument_checks, representations, writable_fields
from .account import Account, Extension
from .http_server import Listener
from .notifications import Feed
from .router import Service


class People:
    """The part of `Sandbox` that is about extensions. Every change is told to subscribers.

    Args:
        service: what the account belongs to.
        listener: where it can be reached.
    """

    def __init__(self, service: Service, listener: Listener) -> None:
        self._service = service
        self._listener = listener

    @property
    def url(self) -> str:
        """The server's address, for `PresenceSession(server=…)`.

        Raises:
            UsageError: the sandbox is not started.
        """
        return self._listener.url

    @property
    def feed(self) -> Feed:
        """What turns changes into notifications; it has switches for how those look."""
        return self._service.feed

    @property
    def _account(self) -> Account:
        return self._service.account

    @property
    def account_id(self) -> str:
        """The id of the account, for which `~` also stands."""
        return self._account.id

    @property
    def extension_ids(self) -> tuple[str, ...]:
        """The ids of all extensions, in order; the first is the caller's, `~`."""
        return tuple(self._account.extensions)

    @property
    def user_ids(self) -> tuple[str, ...]:
        """The ids of the extensions that are persons."""
        return tuple(each.id for each in self._account.extensions.values() if each.is_user)

    @property
    def queue_ids(self) -> tuple[str, ...]:
        """The ids of the call queues; there is one from 20 extensions on."""
        return tuple(self._account.queues)

    def presence(
        self, extension_id: str, detailed: bool = False, sip: bool = False
    ) -> dict[str, Any]:
        """Tell what a read of one extension's presence would answer now.

        Args:
            extension_id: whose.
            detailed: as detailedTelephonyState=true.
            sip: as sipData=true.

        Raises:
            UsageError: there is no such extension, or the sandbox is not started.
        """
        extension = self._extension(extension_id)
        argument_checks.flag("detailed", detailed)
        argument_checks.flag("sip", sip)
        return representations.presence(
            self.url, self._account, extension, detailed=detailed, sip=sip
        )

    def set_presence(self, extension_id: str, **changes: Any) -> None:
        """Change what is stored of a person's presence.

        Args:
            extension_id: whose.
            changes: any of user_status, dnd_status, dnd_status_personal, telephony_status,
                meeting_status, message, allow_see_my_presence, accept_call_queue_calls,
                ring_on_monitored_call, pick_up_calls_on_hold, caller_id_visibility,
                glip_availability and glip_visibility, with RingCentral's values; and
                active_calls, a list of calls as RingCentral writes them. A telephony_status
                makes, changes or ends calls so that it is true.

        Raises:
            UsageError: there is no such person, name or value; nothing is changed then.
        """
        extension = self._extension(extension_id)
        if not extension.is_user:
            raise UsageError(f"extension {extension.id} is a {extension.kind} and has no presence")
        for name, value in changes.items():
            if name not in writable_fields.NAMES:
                raise UsageError(
                    f"{name} cannot be set; one of {', '.join(writable_fields.NAMES)} can"
                )
            if objection := writable_fields.objection(name, value):
                raise UsageError(f"{name} must be {objection}, not {argument_checks.shown(value)}")
        status = changes.pop("telephony_status", None)
        writable_fields.store(extension, changes)
        if status is not None:
            active_calls.set_status(self._service.rng, extension, status)
        self.feed.touch(extension)

    def ring(self, extension_id: str, from_: str | None = None) -> None:
        """Let a call come in.

        Args:
            extension_id: whose telephone rings.
            from_: the number that calls; None invents one.

        Raises:
            UsageError: there is no such extension.
        """
        extension = self._extension(extension_id)
        argument_checks.text("from_", from_, none=True)
        now = datetime.now(UTC)
        active_calls.add_call(self._service.rng, extension, "Ringing", now, from_)
        self.feed.touch(extension)

    def answer(self, extension_id: str) -> None:
        """Pick up the latest call that rings or is on hold; UsageError when there is none."""
        self._move(extension_id, ("Ringing", "OnHold"), "CallConnected")

    def hold(self, extension_id: str) -> None:
        """Put the latest connected call on hold; UsageError when there is none."""
        self._move(extension_id, ("CallConnected",), "OnHold")

    def hang_up(self, extension_id: str) -> None:
        """End the latest call, whatever its state; UsageError when there is none."""
        live = [status for status in writable_fields.TELEPHONY if status != "NoCall"]
        self._move(extension_id, live, "NoCall")

    def _move(self, extension_id: str, sources: Collection[str], target: str) -> None:
        extension = self._extension(extension_id)
        active_calls.move(extension, sources, target)
        self.feed.touch(extension)

    def _extension(self, extension_id: str) -> Extension:
        if extension_id == "~":
            return self._account.caller
        if not isinstance(extension_id, str) or extension_id not in self._account.extensions:
            found = argument_checks.shown(extension_id)
            raise UsageError(f"the sandbox has no extension {found}; see extension_ids")
        return self._account.extensions[extension_id]
