"""What the doctor knows by now, for one check to tell the next."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import attrs

from ... import GetPresenceInfo, GroupLimits, PresenceError, PresenceSession

if TYPE_CHECKING:
    from ..settings import Settings


class TroubleError(Exception):
    """Something is wrong; the text says what to do."""


class SkippedError(Exception):
    """There is nothing to look at; the text says why."""


@attrs.define
class Patient:
    """What is examined.

    Attributes:
        sandbox: the size of the embedded platform; None for a real one.
        profile: of the configuration; None for the usual one.
        stack: closes what was opened.
        settings: what was set, or None.
        address: the server's.
        date: what the server said the time is, and when that was here; None if it said nothing.
        own: one's own presence.
        no_directory: why the directory cannot be read.
        ids: of some extensions.
    """

    sandbox: int | None
    profile: str | None
    stack: AsyncExitStack
    settings: "Settings | None" = None
    address: str = ""
    date: tuple[str, float] | None = None
    own: GetPresenceInfo | None = None
    no_directory: PresenceError | None = None
    ids: tuple[str, ...] = ()
    _session: PresenceSession | None = None

    @property
    def is_sandbox(self) -> bool:
        """Whether an embedded platform is examined."""
        return self.sandbox is not None

    @property
    def session(self) -> PresenceSession:
        """The session; it is there once the settings are right."""
        assert self._session is not None  # noqa: S101 - the checks that use it need the settings
        return self._session

    @session.setter
    def session(self, session: PresenceSession) -> None:
        self._session = session

    @property
    def limits(self) -> dict[str, GroupLimits]:
        """What is known of the rate limits; nothing before there is a session."""
        return {} if self._session is None else self._session.limits

    @property
    def own_id(self) -> str:
        """One's own extension id.

        Raises:
            TroubleError: the presence that was read does not tell.
        """
        extension = self.own and self.own.extension
        if not extension or extension.id is None:
            raise TroubleError("one's own presence does not say whose it is; see doctor --drift")
        return extension.id
