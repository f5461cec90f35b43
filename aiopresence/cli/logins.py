"""Logins that outlive a command: tokens in the user's state directory."""

from typing import TYPE_CHECKING

from .config import Settings, state_directory

if TYPE_CHECKING:
    from .. import FileTokenStore, JwtGrant, RefreshTokenGrant


def find(settings: Settings) -> "tuple[JwtGrant | RefreshTokenGrant, FileTokenStore]":
    """Give what to log in with, and where its tokens are kept.

    Raises:
        UsageError: the settings are not complete.
    """
    from .. import FileTokenStore

    return settings.grant(), FileTokenStore(state_directory() / "tokens.json")
