"""Logins that outlive a command: tokens in the user's state directory.

A login that was asked for is kept under its profile, whatever its tokens are by then: RingCentral
replaces both at each renewal, so neither can be the name of where they are.
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
from .console import note
from .settings import Settings, state_directory


class Kept:
    """A TokenStore that remembers what it was last asked to keep, or had.

    Args:
        inner: where tokens are.
        key: the name of the one login in it; None for the session's own names.
        more: what to keep beside the token.

    Attributes:
        last: the newest record that was seen, or None.
        more: as given.
    """

    def __init__(
        self, inner: TokenStore, key: str | None = None, more: Mapping[str, str] | None = None
    ) -> None:
        self._inner = inner
        self._key = key
        self.more = more or {}
        self.last: dict[str, Any] | None = None

    async def load(self, key: str) -> dict[str, Any] | None:
        """Give what was last saved, or None."""
        record = await self._inner.load(self._key or key)
        self.last = record or self.last
        return record

    async def save(self, key: str, token: dict[str, Any] | None) -> None:
        """Keep a token in place of the last one; None forgets that."""
        if token is not None:
            token = self.last = {**token, **self.more}
        await self._inner.save(self._key or key, token)

    def lock(self, key: str) -> AbstractAsyncContextManager[Any]:
        """Keep other commands from renewing the same token meanwhile."""
        return self._inner.lock(self._key or key)


@attrs.frozen
class Login:
    """What to log in with, and where.

    Attributes:
        grant: the credentials.
        server: the server they are for.
        store: where its tokens are.
        profile: for which it is kept; None for a JWT that is set.
        is_new: whether it has only begun, so that what is refused is not what was kept.
    """

    grant: JwtGrant | RefreshTokenGrant | AuthorizationCodeGrant
    server: str
    store: Kept
    profile: str | None = None
    is_new: bool = False


def name(profile: str | None) -> str:
    """Give the name of a profile."""
    return profile or "default"


async def find(settings: Settings, profile: str | None) -> Login:
    """Give what to log in with: the JWT that is set, or else what `aiopresence login` kept.

    Raises:
        UsageError: there is neither, or the login that is kept is of another app or server.
    """
    login = await kept(settings, profile)
    if settings.jwt is not None:
        begun_with = None if login is None else login.store.more.get("jwt")
        if login is None or begun_with != _digest(settings.grant()) or _differs(settings, login):
            return with_jwt(settings)
        # It was begun with this JWT: one login for both.
        return attrs.evolve(login, grant=settings.grant(), profile=None)
    if login is None:
        return with_jwt(settings)
    _check_same(settings, login)
    return login


def with_jwt(settings: Settings) -> Login:
    """Give the login with a JWT.

    Raises:
        UsageError: the settings are not complete.
    """
    return Login(settings.grant(), settings.server_url, Kept(keeper()))


async def kept(settings: Settings, profile: str | None) -> Login | None:
    """Give the login that is kept for a profile; None when there is none that can be used.

    Raises:
        UsageError: others may read the file that it is in.
    """
    key = _key(profile)
    if not state_directory().is_absolute():
        return None
    try:
        record = await _file().load(key)
    except OSError:
        return None
    more = {each: str((record or {}).get(each) or "") for each in ("server", "client_id", "jwt")}
    if record is None or not (more["server"] and more["client_id"]):
        return None
    inner = keeper()
    if isinstance(inner, MemoryTokenStore):
        await inner.save(key, record)
    # Without a refresh token the login ends with its access token: this one will be refused.
    refresh_token = record.get("refresh_token") or "none"
    grant = RefreshTokenGrant(more["client_id"], None, refresh_token)
    login = Login(grant, more["server"], Kept(inner, key, more), name(profile))
    if _differs(settings, login):
        # The secret that is set is of another app or server: this one is not to see it.
        return login
    return attrs.evolve(login, grant=attrs.evolve(grant, client_secret=settings.client_secret))


def begin(grant: JwtGrant | AuthorizationCodeGrant, server: str, profile: str | None) -> Login:
    """Give a login that is not kept yet, so that the one before it stays if this one fails."""
    jwt = _digest(grant) if isinstance(grant, JwtGrant) else ""
    more = {"server": server, "client_id": grant.client_id, "jwt": jwt}
    store = Kept(MemoryTokenStore(), _key(profile), more)
    return Login(grant, server, store, name(profile), is_new=True)


async def keep(login: Login) -> None:
    """Keep a login that has begun, in place of the one before it.

    Raises:
        OSError: it cannot be kept.
    """
    key = _key(login.profile)
    async with _file().lock(key):
        await _file().save(key, login.store.last)


def keeper() -> TokenStore:
    """Give the store in the state directory; where that cannot be, one that keeps nothing."""
    try:
        prepare()
    except OSError as error:
        why = f"{state_directory()}: {error.strerror}"
        note(f"aiopresence: the login is not kept for the next command: {why}")
        return MemoryTokenStore()
    return _file()


def prepare() -> None:
    """Make the state directory, for its user only.

    Raises:
        OSError: it is not there, or not writable, and that cannot be helped.
    """
    directory = state_directory()
    if not directory.is_absolute():
        raise FileNotFoundError(ENOENT, "no home directory; set HOME or XDG_STATE_HOME")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(EACCES, os.strerror(EACCES), str(directory))


def _file() -> FileTokenStore:
    return FileTokenStore(state_directory() / "tokens.json")


def _key(profile: str | None) -> str:
    # Hashed: it becomes a part of a file's name.
    return hashlib.sha256(f"profile {name(profile)}".encode(errors="surrogateescape")).hexdigest()[
        :32
    ]


def _digest(grant: JwtGrant) -> str:
    """Return a digest of a JWT and the client secret: a wrong secret must fail."""
    return hashlib.sha256(f"{grant.client_secret}\n{grant.jwt}".encode()).hexdigest()[:32]


def _check_same(settings: Settings, login: Login) -> None:
    if setting := _differs(settings, login):
        place = settings.sources.get(setting, "the default")
        raise UsageError(
            f"the login kept for profile {login.profile} has another {setting} than"
            f" {place}: log in again with `aiopresence login`"
        )


def _differs(settings: Settings, login: Login) -> str | None:
    """Return the setting by which a kept login is not that of the settings; None if it is.

    Where nothing is set, the login is all there is.
    """
    if settings.sources and _origin(settings.server_url) != _origin(login.server):
        return "server_url"
    if settings.client_id not in (None, login.grant.client_id):
        return "client_id"
    return None


def _origin(server: str) -> str:
    text = server.rstrip("/").lower()
    return text.removesuffix(":443" if text.startswith("https:") else ":80")
