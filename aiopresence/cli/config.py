"""Where the settings come from.

Of each setting the first that is there counts: the environment, `.env` in the working directory,
the profile in the configuration file. Secrets are never taken from the command line, where others
can see them.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import attrs

from .. import JwtGrant, UsageError

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
        sources: where each setting came from, in words.
    """

    server_url: str = PRODUCTION
    client_id: str | None = None
    client_secret: str | None = attrs.field(default=None, repr=False)
    jwt: str | None = attrs.field(default=None, repr=False)
    sources: Mapping[str, str] = attrs.field(factory=dict)

    def grant(self) -> JwtGrant:
        """Give the credentials for a login without a browser.

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


def config_file() -> Path:
    """Give the place of the configuration file."""
    from platformdirs import user_config_path

    return user_config_path("aiopresence") / "config.toml"


def state_directory() -> Path:
    """Give the directory in which logins are kept, readable by its user only."""
    from platformdirs import user_state_path

    return user_state_path("aiopresence")


def load(profile: str | None) -> Settings:
    """Read the settings.

    Args:
        profile: of the configuration file; None for "default", which need not be there.

    Raises:
        UsageError: a file cannot be read, or there is no such profile.
    """
    places: list[tuple[str, Mapping[str, object]]] = [
        ("the environment", _named(os.environ)),
        (".env", _named(_dotenv())),
        (f"profile {profile or 'default'}", _profile(profile)),
    ]
    found: dict[str, str] = {}
    sources: dict[str, str] = {}
    for name in NAMES:
        for place, values in places:
            value = values.get(name)
            if isinstance(value, str) and value:
                found[name], sources[name] = value, place
                break
    return Settings(**found, sources=sources)


def _dotenv() -> Mapping[str, str | None]:
    from dotenv import dotenv_values

    try:
        # As it stands: a secret may have a dollar sign in it.
        return dotenv_values(".env", interpolate=False)
    except (OSError, ValueError) as error:
        raise UsageError(f".env cannot be read: {type(error).__name__}") from None


def _named(values: Mapping[str, str | None]) -> dict[str, object]:
    return {
        name: next((values[variable] for variable in variables if values.get(variable)), None)
        for name, variables in NAMES.items()
    }


def _profile(profile: str | None) -> Mapping[str, object]:
    file = config_file()
    profiles = _profiles(file)
    values = profiles.get(profile or "default")
    if values is None and profile is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError(f"{file} has no [profile.{profile or 'default'}]")
    if unknown := values.keys() - NAMES.keys():
        raise UsageError(
            f"{file} has {', '.join(sorted(unknown))}; a profile has {', '.join(NAMES)}"
        )
    for name, value in values.items():
        if not isinstance(value, str):
            raise UsageError(f"{file}: {name} must be text, in quotes")
    return values


def _profiles(file: Path) -> Mapping[str, object]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        # A message of the parser may show the line, which may hold a secret.
        raise UsageError(f"{file} cannot be read: {type(error).__name__}") from None
    profiles = content.pop("profile", {})
    if content or not isinstance(profiles, dict):
        wrong = ", ".join(sorted(content)) or "profile"
        raise UsageError(f"{file} has {wrong}; it takes tables such as [profile.default]")
    return profiles
