"""What a session logs in with. Values only: `protocol/oauth.py` knows how to use them."""

from typing import Any

import attrs
from attrs.converters import optional

from .errors import UsageError
from .redaction import Secret

# The characters of the longest credential or token. Known ones have a few thousand, and servers
# take no longer headers.
MAX_CREDENTIAL = 64 * 1024


def _secret(value: str) -> str:
    return Secret(value) if isinstance(value, str) else value


def _clean(_instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    # Credentials travel in headers and forms: a control character or a space there is a paste
    # error at best and a header injection at worst. The value itself is never shown.
    if not isinstance(value, str) or not value or not value.isascii():
        raise UsageError(f"{attribute.name} must be a non-empty ASCII string")
    if any(not "!" <= character <= "~" for character in value):
        raise UsageError(f"{attribute.name} has a space or a control character in it")
    if len(value) > MAX_CREDENTIAL:
        raise UsageError(f"{attribute.name} has more than {MAX_CREDENTIAL} characters")


def _clean_or_none(instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None:
        _clean(instance, attribute, value)


@attrs.frozen
class AccessToken:
    """An access token obtained elsewhere, used as it is until the server refuses it.

    Args:
        access_token: the bearer token, without the word "Bearer".

    Raises:
        UsageError: the token is empty, not ASCII, or has spaces or control characters in it.

    Source: RFC 6750.
    """

    access_token: str = attrs.field(repr=False, converter=_secret, validator=_clean)


@attrs.frozen
class JwtGrant:
    """The credentials of a server-side app: client id, client secret and a user's JWT.

    Args:
        client_id: the app's client id, from the RingCentral developer console.
        client_secret: the app's client secret.
        jwt: the JWT credential of the user whose presence rights the session has.

    Raises:
        UsageError: one of them is empty, not ASCII, or has spaces or control characters in it.

    Source: RingCentral guide, "JWT auth flow"; RFC 7523.
    """

    client_id: str = attrs.field(validator=_clean)
    client_secret: str = attrs.field(repr=False, converter=_secret, validator=_clean)
    jwt: str = attrs.field(repr=False, converter=_secret, validator=_clean)


@attrs.frozen
class RefreshTokenGrant:
    """A refresh token from an earlier login, to go on with that.

    RingCentral replaces a refresh token at each use. Keep the newest in a TokenStore, or this one
    is worth nothing the next time.

    Args:
        client_id: the app's client id.
        client_secret: the app's client secret; None for a public app, which has none.
        refresh_token: the refresh token.

    Raises:
        UsageError: one of them is empty, not ASCII, or has spaces or control characters in it.

    Source: RingCentral guide, "Refreshing access tokens"; RFC 6749 §6.
    """

    client_id: str = attrs.field(validator=_clean)
    client_secret: str | None = attrs.field(
        repr=False, converter=optional(_secret), validator=_clean_or_none
    )
    refresh_token: str = attrs.field(repr=False, converter=_secret, validator=_clean)


@attrs.frozen
class AuthorizationCodeGrant:
    """The code that RingCentral's login page sent to the app's redirect URI. It works once.

    Args:
        client_id: the app's client id.
        client_secret: the app's client secret; None for a public app, which uses PKCE.
        code: the code.
        redirect_uri: the same that the login page was given.
        code_verifier: the secret that belongs to the login page's code challenge (PKCE), or None.

    Raises:
        UsageError: one of them is empty, not ASCII, or has spaces or control characters in it.

    Source: RingCentral guide, "Authorization code flow"; RFC 6749 §4.1, RFC 7636.
    """

    client_id: str = attrs.field(validator=_clean)
    client_secret: str | None = attrs.field(
        repr=False, converter=optional(_secret), validator=_clean_or_none
    )
    code: str = attrs.field(repr=False, converter=_secret, validator=_clean)
    redirect_uri: str = attrs.field(validator=_clean)
    code_verifier: str | None = attrs.field(
        default=None, repr=False, converter=optional(_secret), validator=_clean_or_none
    )


Grant = JwtGrant | RefreshTokenGrant | AuthorizationCodeGrant
