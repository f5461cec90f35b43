"""What the one user and app may do, and how the sandbox refuses the rest."""

from collections.abc import Iterable

from ..errors import UsageError
from .responses import RefusedError

ALL = ("ReadPresence", "EditPresence", "ReadAccounts", "WebSocketsSubscription")
CODE = "CMN-401"  # RingCentral has several codes for this; that it is this one here is a guess


def message(permission: str) -> str:
    """Say what is missing."""
    return f"In order to call this API endpoint, user needs to have [{permission}] permission."


class Permissions:
    """The permissions granted; all of them to begin with."""

    def __init__(self) -> None:
        self._granted = set(ALL)

    def forbid(self, permission: str) -> None:
        """Take one away; see `Sandbox.forbid`."""
        self._granted.discard(_known(permission))

    def permit(self, permission: str) -> None:
        """Give one back; see `Sandbox.permit`."""
        self._granted.add(_known(permission))

    def lacking(self, needed: Iterable[str]) -> str | None:
        """Find the first of some permissions that is not granted; None when all are."""
        return next((each for each in needed if each not in self._granted), None)

    def check(self, *needed: str) -> None:
        """Insist on permissions.

        Raises:
            RefusedError: 403; one of them is not granted.
        """
        if missing := self.lacking(needed):
            raise RefusedError(403, CODE, message(missing))


def _known(permission: str) -> str:
    if permission not in ALL:
        raise UsageError(f"the permissions are {', '.join(ALL)}, not {permission!r}")
    return permission
