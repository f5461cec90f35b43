"""The permissions of the one user and app."""

from collections.abc import Iterable

from ..errors import UsageError
from .responses import RefusedError

ALL = ("ReadPresence", "EditPresence", "ReadAccounts", "WebSocketsSubscription")
CODE = "CMN-401"  # RingCentral has several codes for a missing permission; this one is a guess


def message(permission: str) -> str:
    """Return the error message for a missing permission."""
    return f"In order to call this API endpoint, user needs to have [{permission}] permission."


class Permissions:
    """The granted permissions: all of them at first."""

    def __init__(self) -> None:
        self._granted = set(ALL)

    def forbid(self, permission: str) -> None:
        """Revoke a permission; see `Sandbox.forbid`."""
        self._granted.discard(_known(permission))

    def permit(self, permission: str) -> None:
        """Grant a permission again; see `Sandbox.permit`."""
        self._granted.add(_known(permission))

    def missing(self, needed: Iterable[str]) -> str | None:
        """Return the first of some permissions that is not granted; None if all are."""
        return next((each for each in needed if each not in self._granted), None)

    def check(self, *needed: str) -> None:
        """Check that permissions are granted.

        Raises:
            RefusedError: 403, one of them is not granted.
        """
        if permission := self.missing(needed):
            raise RefusedError(403, CODE, message(permission))


def _known(permission: str) -> str:
    if permission not in ALL:
        raise UsageError(f"permission must be one of {', '.join(ALL)}, not {permission!r}")
    return permission
