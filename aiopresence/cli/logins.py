"""Saved logins: tokens in the user's state directory, which outlive a command.

`aiopresence login` saves a login under its profile. Tokens obtained with a JWT of the settings are
saved, too, under a name derived from the JWT, so that the next command need not log in again.
"""

import hashlib
import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from errno import EACCES, ENOENT
from typing import Any

import attrs

from .. import (
    AuthorizationCodeGrant,
    FileTokenStore,
    JwtGrant,
    MemoryTokenStore,
    RefreshTokenGrant,
    TokenStore,
    UsageError,
)
from .console import print_notice
from .files import create_directory
from .settings import Settings, state_directory


class RecordingTokenStore:
    """A TokenStore that remembers the last record it loaded or saved.

    Args:
        inner: the store with the tokens.
        key: the key to use in it; None for the keys of the session.
        metadata: fields to save with the token.

    Attributes:
        last: the newest record, or None.
        has_new_login: whether a token was saved where there was none: the session logged in.
        metadata: as given.
    """

    def __init__(
        self, inner: TokenStore, key: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> None:
        self._inner = inner
        self._key = key
        self.metadata = metadata or {}
        self.last: dict[str, Any] | None = None
        self.has_new_login = False

    async def load(self, key: str) -> dict[str, Any] | None:
        """Return the saved record, or None."""
        record = await self._inner.load(self._key or key)
        self.last = record or self.last
        return record

    async def save(self, key: str, token: dict[str, Any] | None) -> None:
        """Save a token in place of the previous one; None deletes that."""
        if token is not None:
            self.has_new_login = self.has_new_login or self.last is None
            token = self.last = {**token, **self.metadata}
        await self._inner.save(self._key or key, token)

    def lock(self, key: str) -> AbstractAsyncContextManager[Any]:
        """Lock a token, so that no other command renews it at the same time."""
        return self._inner.lock(self._key or key)


@attrs.frozen
class Login:
    """The credentials to log in with, and their server.

    Attributes:
        grant: the credentials.
        server: the server they belong to.
        store: the store with its tokens.
        profile: the profile it is saved for; None for the JWT of the settings.
        is_new: whether it was just created: a refused token is not a saved one.
    """

    grant: JwtGrant | RefreshTokenGrant | AuthorizationCodeGrant
    server: str
    store: RecordingTokenStore
    profile: str | None = None
    is_new: bool = False


def profile_name(profile: str | None) -> str:
    """Return the name of a profile; None is "default"."""
    return profile or "default"


async def select_login(settings: Settings, profile: str | None) -> Login:
    """Return the login to use: the JWT of the settings, or the login saved for the profile.

    Raises:
        UsageError: there is neither, or the saved login belongs to another app or server.
    """
    login = await load_login(settings, profile)
    if settings.jwt is not None:
        saved_jwt = None if login is None else login.store.metadata.get("jwt")
        if login is None or saved_jwt != _digest(settings.grant()) or _conflict(settings, login):
            return jwt_login(settings)
        # The login was created with this JWT: use its tokens.
        return attrs.evolve(login, grant=settings.grant(), profile=None)
    if login is None:
        return jwt_login(settings)
    _check_same_app(settings, login)
    return login


def jwt_login(settings: Settings) -> Login:
    """Return the login with the JWT of the settings.

    Raises:
        UsageError: the settings are incomplete.
    """
    return Login(settings.grant(), settings.server_url, RecordingTokenStore(open_token_store()))


async def load_login(settings: Settings, profile: str | None) -> Login | None:
    """Return the login saved for a profile; None if there is none that can be used.

    Raises:
        UsageError: the token file is readable by other users.
    """
    key = _key(profile)
    if not state_directory().is_absolute():
        return None
    try:
        record = await _token_file().load(key)
    except OSError:
        return None
    fields = ("server", "client_id", "jwt")
    metadata = {field: str((record or {}).get(field) or "") for field in fields}
    if record is None or not (metadata["server"] and metadata["client_id"]):
        return None
    inner = open_token_store()
    if isinstance(inner, MemoryTokenStore):
        await inner.save(key, record)
    # Without a refresh token the login ends with its access token: "none" will be refused.
    refresh_token = record.get("refresh_token") or "none"
    grant = RefreshTokenGrant(metadata["client_id"], None, refresh_token)
    store = RecordingTokenStore(inner, key, metadata)
    login = Login(grant, metadata["server"], store, profile_name(profile))
    if _conflict(settings, login):
        # The client secret of the settings belongs to another app or server: do not send it.
        return login
    return attrs.evolve(login, grant=attrs.evolve(grant, client_secret=settings.client_secret))


def new_login(grant: JwtGrant | AuthorizationCodeGrant, server: str, profile: str | None) -> Login:
    """Return a login that is not saved yet, so that the saved one stays if this one fails."""
    jwt = _digest(grant) if isinstance(grant, JwtGrant) else ""
    metadata = {"server": server, "client_id": grant.client_id, "jwt": jwt}
    store = RecordingTokenStore(MemoryTokenStore(), _key(profile), metadata)
    return Login(grant, server, store, profile_name(profile), is_new=True)


async def save_login(login: Login) -> None:
    """Save a new login in place of the previous one.

    Raises:
        OSError: it cannot be saved.
    """
    key = _key(login.profile)
    async with _token_file().lock(key):
        await _token_file().save(key, login.store.last)


def open_token_store() -> TokenStore:
    """Return the store in the state directory; if that is not writable, one in memory."""
    try:
        create_state_directory()
    except OSError as error:
        reason = f"{state_directory()}: {error.strerror}"
        print_notice(f"aiopresence: the login is not saved for the next command: {reason}")
        return MemoryTokenStore()
    return _token_file()


def create_state_directory() -> None:
    """Create the state directory, accessible to its user only, if it does not exist.

    Raises:
        OSError: it cannot be created, or is not writable.
    """
    directory = state_directory()
    if not directory.is_absolute():
        raise FileNotFoundError(ENOENT, "no home directory; set HOME or XDG_STATE_HOME")
    create_directory(directory)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(EACCES, os.strerror(EACCES), str(directory))


def _token_file() -> FileTokenStore:
    return FileTokenStore(state_directory() / "tokens.json")


def _key(profile: str | None) -> str:
    # Hashed, because it becomes part of a file name.
    text = f"profile {profile_name(profile)}".encode(errors="surrogateescape")
    return hashlib.sha256(text).hexdigest()[:32]


def _digest(grant: JwtGrant) -> str:
    """Return a digest of a JWT and its client secret: with a wrong secret, a login must fail."""
    return hashlib.sha256(f"{grant.client_secret}\n{grant.jwt}".encode()).hexdigest()[:32]


def _check_same_app(settings: Settings, login: Login) -> None:
    if setting := _conflict(settings, login):
        source = settings.sources.get(setting, "the default")
        raise UsageError(
            f"the saved login of profile {login.profile} has another {setting} than"
            f" {source}: log in again with `aiopresence login`"
        )


def _conflict(settings: Settings, login: Login) -> str | None:
    """Return the setting in which a saved login differs from the settings, or None.

    Without settings there is only the login, and no conflict.
    """
    if settings.sources and _origin(settings.server_url) != _origin(login.server):
        return "server_url"
    if settings.client_id not in (None, login.grant.client_id):
        return "client_id"
    return None


def _origin(server: str) -> str:
    text = server.rstrip("/").lower()
    return text.removesuffix(":443" if text.startswith("https:") else ":80")
