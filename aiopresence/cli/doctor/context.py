"""What the checks of `doctor` share: the session, and results that later checks need."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import attrs

from ... import GetPresenceInfo, GroupLimits, PresenceError, PresenceSession

if TYPE_CHECKING:
    from ..settings import Settings


class CheckFailed(Exception):
    """A check failed; the message says what to do."""


class CheckSkipped(Exception):
    """A check does not apply; the message says why."""


@attrs.define
class CheckContext:
    """What the checks share.

    Attributes:
        sandbox: the number of extensions of the embedded sandbox; None for a real server.
        profile: the profile of the configuration file; None for "default".
        stack: closes what checks have opened.
        settings: the settings, or None.
        server: the address of the server.
        date: the Date header of the server and the local time it was received at, or None.
        own: one's own presence.
        directory_error: why the directory cannot be read, or None.
        ids: the ids of some extensions.
    """

    sandbox: int | None
    profile: str | None
    stack: AsyncExitStack
    settings: "Settings | None" = None
    server: str = ""
    date: tuple[str, float] | None = None
    own: GetPresenceInfo | None = None
    directory_error: PresenceError | None = None
    ids: tuple[str, ...] = ()
    _session: PresenceSession | None = None

    @property
    def is_sandbox(self) -> bool:
        """Whether an embedded sandbox is checked."""
        return self.sandbox is not None

    @property
    def session(self) -> PresenceSession:
        """The session; available after the check of the settings."""
        assert self._session is not None  # noqa: S101 - the checks that use it depend on that one
        return self._session

    @session.setter
    def session(self, session: PresenceSession) -> None:
        self._session = session

    @property
    def limits(self) -> dict[str, GroupLimits]:
        """The known rate limits; empty without a session."""
        return {} if self._session is None else self._session.limits

    @property
    def own_id(self) -> str:
        """One's own extension id.

        Raises:
            CheckFailed: the presence that was read does not contain it.
        """
        extension = self.own and self.own.extension
        if not extension or extension.id is None:
            raise CheckFailed("your own presence has no extension id; see doctor --drift")
        return extension.id
