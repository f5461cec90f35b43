"""Load the settings: server, client id, client secret and JWT.

All of them come from the first source that sets any: the environment, `.env` in the working
directory, or a profile of the configuration file. If sources were mixed, a `.env` in a downloaded
directory could name the server to which the secrets of the configuration file are sent. Secrets
are never taken from the command line, where other users can see them.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from io import StringIO
from pathlib import Path

import attrs

from .. import JwtGrant, UsageError
from .files import read_text, reason
from .toml_tables import Tables, read_tables

# For each setting, its two names in the environment: RingCentral's documentation uses both.
VARIABLES = {
    "server_url": ("RC_SERVER_URL", "RINGCENTRAL_SERVER_URL"),
    "client_id": ("RC_APP_CLIENT_ID", "RINGCENTRAL_CLIENT_ID"),
    "client_secret": ("RC_APP_CLIENT_SECRET", "RINGCENTRAL_CLIENT_SECRET"),
    "jwt": ("RC_USER_JWT", "RINGCENTRAL_JWT_TOKEN"),
}
PRODUCTION = "https://platform.ringcentral.com"


@attrs.frozen
class Settings:
    """The server to connect to, and the credentials; None if not set.

    Attributes:
        server_url: the server; default RingCentral's production.
        client_id: the app's client id.
        client_secret: the app's client secret; None for a public app.
        jwt: a user's JWT credential; None for a login in the browser.
        sources: a description of the source of each setting; all have the same source.
    """

    server_url: str = PRODUCTION
    client_id: str | None = None
    client_secret: str | None = attrs.field(default=None, repr=False)
    jwt: str | None = attrs.field(default=None, repr=False)
    sources: Mapping[str, str] = attrs.field(factory=dict)

    def grant(self) -> JwtGrant:
        """Return the credentials for a login without a browser.

        Raises:
            UsageError: some are not set; the message lists them.
        """
        missing = [
            VARIABLES[name][0]
            for name in ("client_id", "client_secret", "jwt")
            if getattr(self, name) is None
        ]
        if missing:
            raise UsageError(
                f"not set: {', '.join(missing)}; set them in the environment, in .env or in"
                f" {config_file()}, log in with `aiopresence login`, or use --sandbox 100"
            )
        return JwtGrant(self.client_id or "", self.client_secret or "", self.jwt or "")


@attrs.frozen
class _Source:
    """One source of settings.

    Attributes:
        name: its description.
        values: the settings that it has.
        spellings: the name of each setting in this source.
        place: returns where a setting is, for errors.
    """

    name: str
    values: Mapping[str, str]
    spellings: Mapping[str, str]
    place: Callable[[str], str]


def config_file() -> Path:
    """Return the path of the configuration file; a relative path if there is no home directory."""
    from platformdirs import user_config_path

    return _under_home(user_config_path, ".config") / "config.toml"


def state_directory() -> Path:
    """Return the directory for saved logins; a relative path if there is no home directory."""
    from platformdirs import user_state_path

    return _under_home(user_state_path, ".local/state")


def _under_home(find: Callable[[str], Path], default: str) -> Path:
    try:
        return find("aiopresence")
    except RuntimeError:  # Neither HOME nor an entry in the user database.
        return Path("~", default, "aiopresence")


def load_settings(profile: str | None) -> Settings:
    """Load the settings from the first source that has any.

    Args:
        profile: the profile of the configuration file; None for "default", which may be missing.

    Raises:
        UsageError: a file cannot be read, the profile does not exist, a value is invalid, or a
            later source has settings that the first one lacks.
    """
    candidates = [
        _variables("the environment", os.environ),
        _variables(".env", _dotenv()),
        _profile(profile),
    ]
    sources = [each for each in candidates if each.values]
    if not sources:
        return Settings()
    first, *others = sources
    for other in others:
        _check_one_source(first, other)
    _check_values(first)
    return Settings(**first.values, sources=dict.fromkeys(first.values, first.name))


def _check_one_source(first: _Source, other: _Source) -> None:
    missing = [name for name in other.values if name not in first.values]
    if missing:
        in_other = ", ".join(other.spellings[name] for name in missing)
        in_first = ", ".join(first.spellings.values())
        raise UsageError(
            f"{first.name} sets {in_first}, and {other.name} sets {in_other}: server, client id,"
            " client secret and JWT must come from one source, so that secrets are sent only to"
            f" their own server; set all of them in {first.name}, or none"
        )


def _check_values(source: _Source) -> None:
    from .. import PresenceSession

    usable = {"client_id": "-", "client_secret": "-", "jwt": "-"}
    for name, value in source.values.items():
        try:
            if name == "server_url":
                PresenceSession(JwtGrant(**usable), server=value)
            else:
                JwtGrant(**{**usable, name: value})
        except UsageError as error:
            raise UsageError(f"{source.place(name)}: {error}") from None


def _variables(source: str, values: Mapping[str, str | None]) -> _Source:
    spellings = {
        name: next(variable for variable in variables if values.get(variable))
        for name, variables in VARIABLES.items()
        if any(values.get(variable) for variable in variables)
    }
    found = {name: values[variable] or "" for name, variable in spellings.items()}
    return _Source(source, found, spellings, lambda name: f"{spellings[name]} in {source}")


def _dotenv() -> Mapping[str, str | None]:
    path = Path(".env")
    if path.is_dir():  # Some people name a virtual environment so.
        return {}
    try:
        text = read_text(path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read .env: {reason(error)}") from None
    from dotenv import dotenv_values

    # No interpolation: a secret may contain a dollar sign.
    return dotenv_values(stream=StringIO(text), interpolate=False)


def _profile(profile: str | None) -> _Source:
    file = config_file()
    name = profile or "default"
    tables = read_tables(file, "profile") if file.is_absolute() else Tables(file, "profile")
    values = tables.by_name.get(name)
    if values is None and profile is None:
        values = {}
    if not isinstance(values, dict):
        raise UsageError(f"{file} has no [profile.{name}]")
    place = partial(tables.place, name)
    found = parse_values(values, place)
    return _Source(f"profile {name}", found, {key: key for key in found}, place)


def parse_values(values: Mapping[str, object], place: Callable[[str], str]) -> Mapping[str, str]:
    """Return the settings in a table that have a value.

    Args:
        values: the table.
        place: returns where a key is, for errors.

    Raises:
        UsageError: the table has anything else.
    """
    if unknown := [key for key in values if key not in VARIABLES]:
        names, possible = ", ".join(unknown), ", ".join(VARIABLES)
        raise UsageError(f"{place(unknown[0])}: unknown settings {names}; possible are {possible}")
    found = {}
    for key, value in values.items():
        if not isinstance(value, str):
            raise UsageError(f"{place(key)}: {key} must be a string in quotes")
        if value:
            found[key] = value
    return found
