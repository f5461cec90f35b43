"""The methods of `Sandbox` that read and change the presence of its extensions."""

from collections.abc import Collection
from typing import Any

from ..errors import UsageError
from . import active_calls, argument_checks, clock, representations, writable_fields
from .account import Account, Extension
from .notifications import Feed
from .state import SandboxState


class PresenceControls:
    """The methods of `Sandbox` about extensions. Every change notifies subscribers."""

    _state: SandboxState

    @property
    def url(self) -> str:
        """The server's address, for `PresenceSession(server=…)`.

        Raises:
            UsageError: the sandbox is not started.
        """
        if not self._state.url:
            raise UsageError("the sandbox is not started: use `async with Sandbox() as sandbox`")
        return self._state.url

    @property
    def feed(self) -> Feed:
        """The source of all notifications; its attributes change their format."""
        return self._state.feed

    @property
    def _account(self) -> Account:
        return self._state.account

    @property
    def account_id(self) -> str:
        """The id of the account; `~` stands for it as well."""
        return self._account.id

    @property
    def extension_ids(self) -> tuple[str, ...]:
        """The ids of all extensions, in order; the first is the user who logs in, `~`."""
        return tuple(self._account.extensions)

    @property
    def user_ids(self) -> tuple[str, ...]:
        """The ids of the extensions of people, in order."""
        return tuple(each.id for each in self._account.extensions.values() if each.is_user)

    @property
    def queue_ids(self) -> tuple[str, ...]:
        """The ids of the call queues, in order; accounts of 20 extensions or more have one."""
        return tuple(self._account.queues)

    def presence(
        self, extension_id: str, detailed: bool = False, sip: bool = False
    ) -> dict[str, Any]:
        """Return the presence of an extension, as a read would at present.

        Args:
            extension_id: the id of the extension; `~` for the user who logs in.
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
        """Change the presence of a person.

        Args:
            extension_id: the id of the extension; `~` for the user who logs in.
            changes: any of user_status, dnd_status, dnd_status_personal, telephony_status,
                meeting_status, message, allow_see_my_presence, accept_call_queue_calls,
                ring_on_monitored_call, pick_up_calls_on_hold, caller_id_visibility,
                glip_availability and glip_visibility, with RingCentral's values; and
                active_calls, a list of calls as RingCentral writes them. A telephony_status
                makes, changes or ends calls to match.

        Raises:
            UsageError: the person, a name or a value is not valid; nothing is changed then.
        """
        extension = self._extension(extension_id)
        if not extension.is_user:
            raise UsageError(f"extension {extension.id} is a {extension.kind} and has no presence")
        for name, value in changes.items():
            if name not in writable_fields.NAMES:
                raise UsageError(
                    f"{name} cannot be set; one of {', '.join(writable_fields.NAMES)} can"
                )
            if problem := writable_fields.problem(name, value):
                raise UsageError(f"{name} must be {problem}, not {argument_checks.shown(value)}")
        status = changes.pop("telephony_status", None)
        writable_fields.store(extension, changes)
        if status is not None:
            active_calls.set_status(self._state.rng, extension, status)
        self.feed.publish(extension)

    def ring(self, extension_id: str, from_: str | None = None) -> None:
        """Start an inbound call.

        Args:
            extension_id: the id of the extension whose phone rings.
            from_: the number of the caller; None for an invented one.

        Raises:
            UsageError: there is no such extension.
        """
        extension = self._extension(extension_id)
        argument_checks.text("from_", from_, none=True)
        now = clock.utc_now()
        active_calls.add_call(self._state.rng, extension, "Ringing", now, from_)
        self.feed.publish(extension)

    def answer(self, extension_id: str) -> None:
        """Connect the latest call that rings or is on hold; UsageError if there is none."""
        self._move(extension_id, ("Ringing", "OnHold"), "CallConnected")

    def hold(self, extension_id: str) -> None:
        """Put the latest connected call on hold; UsageError if there is none."""
        self._move(extension_id, ("CallConnected",), "OnHold")

    def hang_up(self, extension_id: str) -> None:
        """End the latest call, whatever its status; UsageError if there is none."""
        live = [status for status in writable_fields.TELEPHONY if status != "NoCall"]
        self._move(extension_id, live, "NoCall")

    def _move(self, extension_id: str, sources: Collection[str], target: str) -> None:
        extension = self._extension(extension_id)
        active_calls.move(extension, sources, target)
        self.feed.publish(extension)

    def _extension(self, extension_id: str) -> Extension:
        if extension_id == "~":
            return self._account.caller
        if not isinstance(extension_id, str) or extension_id not in self._account.extensions:
            found = argument_checks.shown(extension_id)
            raise UsageError(f"the sandbox has no extension {found}; see extension_ids")
        return self._account.extensions[extension_id]
