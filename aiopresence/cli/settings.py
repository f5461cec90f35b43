"""Where the settings come from.

The environment, `.env` in the working directory, or the profile in the configuration file: the
first of them that sets anything, as a set. Taken one by one, a `.env` in a directory from elsewhere
could name the server that the secrets of the configuration file are sent to. Secrets are never
taken from the command line, where others can see them.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path

import attrs

from .. import JwtGrant, UsageError
from .files import read_text

# Each setting in the environment, by RingCentral's two ways to name it, and in the file.
NAMES = {
    "server_url": ("RC_SERVER_URL", "RINGCENTRAL_SERVER_URL"),
    "client_id": ("RC_APP_CLIENT_ID", "RINGCENTRAL_CLIENT_ID"),
    "client_secret": ("RC_APP_CLIENT_SECRET", "RINGCENTRAL_CLIENT_SECRET"),
    "jwt": ("RC_USER_JWT", "RINGCENTRAL_JWT_TOKEN"),
}
PRODUCTION = "https://platform.ringcentral.com"


@attrs.frozen
class Settings:
    """What to connect to, and as whom; None is not set.

    Attributes:
        server_url: the server; RingCentral's production if nothing is said.
        client_id: the app's client id.
        client_secret: the app's client secret; None for a public app.
        jwt: a user's JWT credential; None for a login with the browser.
        sources: where each setting came from, in words: one place for all.
    """

    server_url: str = PRODUCTION
    client_id: str | None = None
    client_secret: str | None = attrs.field(default=None, repr=False)
    jwt: str | None = attrs.field(default=None, repr=False)
    sources: Mapping[str, str] = attrs.field(factory=dict)

    def grant(self) -> JwtGrant:
        """Return the credentials for a login without a browser.

        Raises:
            UsageError: some are not set; the message says which.
        """
        missing = [
            NAMES[name][0]
            for name in ("client_id", "client_secret", "jwt")
            if getattr(self, name) is None
        ]
        if missing:
            raise UsageError(
                f"not set: {', '.join(missing)}; set them in the environment, in .env or in"
                f" {config_file()}, log in with `aiopresence login`, or try --sandbox 100"
            )
        return JwtGrant(self.client_id or "", self.client_secret or "", self.jwt or "")


@attrs.frozen
class _Source:
    """One place with settings.

    Attributes:
        place: its name.
        values: the settings that it has.
        spelled: what each is called there.
    """

    place: str
    values: Mapping[str, str]
    spelled: Mapping[str, str]


def config_file() -> Path:
    """Return the path of the configuration file; not an absolute one if there is no home."""
    from platformdirs import user_config_path

    return _under_home(user_config_path, ".config") / "config.toml"


def state_directory() -> Path:
    """Return the directory in which logins are kept, readable by its user only.

    It is not an absolute path if there is no home directory: nothing can be kept then.
    """
    from platformdirs import user_state_path

    return _under_home(user_state_path, ".local/state")


def _under_home(find: Callable[[str], Path], usual: str) -> Path:
    try:
        return find("aiopresence")
    except RuntimeError:  # Neither HOME nor an entry in the list of users.
        return Path("~", usual, "aiopresence")


def load(profile: str | None) -> Settings:
    """Read the settings: those of the first place that has any.

    Args:
        profile: of the configuration file; None for "default", which need not be there.

    Raises:
        UsageError: a file cannot be read, there is no such profile, or a place lacks settings that
            another one has.
    """
    found = [
        _variables("the environment", os.environ),
        _variables(".env", _dotenv()),
        _profile(profile),
    ]
    sources = [each for each in found if each.values]
    if not sources:
        return Settings()
    first, *others = sources
    for other in others:
        _refuse_mixture(first, other)
    return Settings(**first.values, sources=dict.fromkeys(first.values, first.place))


def _refuse_mixture(first: _Source, other: _Source) -> None:
    lacking = [name for name in other.values if name not in first.values]
    if lacking:
        there = ", ".join(other.spelled[name] for name in lacking)
        here = ", ".join(first.spelled.values())
        raise UsageError(
            f"{first.place} sets {here}, and {other.place} sets {there}: server, client id, client"
            " secret and JWT must come from one place, so that secrets are sent only to the server"
            f" they belong to; set all of them in {first.place}, or none"
        )


def _variables(place: str, values: Mapping[str, str | None]) -> _Source:
    known = {
        name: next(variable for variable in variables if values.get(variable))
        for name, variables in NAMES.items()
        if any(values.get(variable) for variable in variables)
    }
    return _Source(place, {name: values[spelled] or "" for name, spelled in known.items()}, known)


def _dotenv() -> Mapping[str, str | None]:
    path = Path(".env")
    if path.is_dir():  # Some keep a virtual environment there.
        return {}
    try:
        text = read_text(path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f".env cannot be read: {_reason(error)}") from None
    from dotenv import dotenv_values

    # As it stands: a secret may have a dollar sign in it.
    return dotenv_values(stream=StringIO(text), interpolate=False)


def _reason(error: Exception) -> str:
    # A message of a parser may show the line, which may hold a secret.
    made_here = isinstance(error, OSError) and error.errno is None
    return str(error) if made_here else type(error).__name__


def _profile(profile: str | None) -> _Source:
    file = config_file()
    name = profile or "default"
    values = _profiles(file).get(name)
    if values is None and profile is None:
        values = {}
    if not isinstance(values, dict):
        raise UsageError(f"{file} has no [profile.{name}]")
    if unknown := values.keys() - NAMES.keys():
        raise UsageError(
            f"{file} has {', '.join(sorted(unknown))}; a profile has {', '.join(NAMES)}"
        )
    for key, value in values.items():
        if not isinstance(value, str):
            raise UsageError(f"{file}: {key} must be text, in quotes")
    found = {key: value for key, value in values.items() if value}
    return _Source(f"profile {name}", found, {key: key for key in found})


def _profiles(file: Path) -> Mapping[str, object]:
    if not file.is_absolute():
        return {}
    try:
        content = tomllib.loads(read_text(file))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{file} cannot be read: {_reason(error)}") from None
    profiles = content.pop("profile", {})
    if content or not isinstance(profiles, dict):
        wrong = ", ".join(sorted(content)) or "profile"
        raise UsageError(f"{file} has {wrong}; it takes tables such as [profile.default]")
    return profiles
