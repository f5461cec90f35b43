"""What a session logs in with: its argument, or environment variables."""

import os
from typing import get_args

from .errors import UsageError
from .grants import AccessToken, Grant, JwtGrant


def parse_auth(auth: AccessToken | Grant | str) -> AccessToken | Grant:
    """Return the grant to log in with; UsageError if `auth` is something else."""
    grant = AccessToken(auth) if isinstance(auth, str) else auth
    if not isinstance(grant, (AccessToken, *get_args(Grant))):
        raise UsageError("auth must be a JwtGrant or another grant, or an access token as str")
    return grant


def read_credentials(prefix: str) -> tuple[JwtGrant, str | None]:
    """Return the grant and the server in environment variables; None if they name no server.

    Args:
        prefix: what the names begin with; those of RINGCENTRAL_ stand in for missing ones.

    Raises:
        UsageError: variables are missing; the message names them.
    """
    names = [
        (f"{prefix}APP_CLIENT_ID", "RINGCENTRAL_CLIENT_ID"),
        (f"{prefix}APP_CLIENT_SECRET", "RINGCENTRAL_CLIENT_SECRET"),
        (f"{prefix}USER_JWT", "RINGCENTRAL_JWT_TOKEN"),
    ]
    values = [_first_set(*pair) for pair in names]
    if missing := [" or ".join(p) for p, v in zip(names, values, strict=True) if not v]:
        raise UsageError(f"environment variables are not set: {', '.join(missing)}")
    server = _first_set(f"{prefix}SERVER_URL", "RINGCENTRAL_SERVER_URL")
    return JwtGrant(*(value or "" for value in values)), server


def _first_set(*names: str) -> str | None:
    """Return the value of the first environment variable that is set and not empty."""
    return next((value for name in names if (value := os.environ.get(name))), None)
