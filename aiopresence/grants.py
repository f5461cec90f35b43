"""Grants: what a session logs in with.

A grant is a value with three properties for `protocol/oauth.py`: `token_form()` is its login
request, `identity()` tells its login apart from others, and `is_repeatable` says whether the form
works more than once. A new grant is a class in this file, added to `Grant`.
"""

from typing import Any, ClassVar

import attrs
from attrs.converters import optional

from .errors import UsageError
from .redaction import Secret

# The longest credential or token in characters. Known ones have a few thousand, and servers accept
# no longer headers.
MAX_CREDENTIAL = 64 * 1024


def _secret(value: str) -> str:
    return Secret(value) if isinstance(value, str) else value


def _check_credential(_instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    # Credentials are sent in headers and forms: a space or a control character in one is a paste
    # error at best, a header injection at worst. The message does not show the value.
    if not isinstance(value, str) or not value or not value.isascii():
        raise UsageError(f"{attribute.name} must be a non-empty ASCII string")
    if any(not "!" <= character <= "~" for character in value):
        raise UsageError(f"{attribute.name} has a space or a control character in it")
    if len(value) > MAX_CREDENTIAL:
        raise UsageError(f"{attribute.name} has more than {MAX_CREDENTIAL} characters")


def _check_optional(instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None:
        _check_credential(instance, attribute, value)


def refresh_form(refresh_token: str) -> dict[str, str]:
    """Return the form that renews an access token (RFC 6749 §6)."""
    return {"grant_type": "refresh_token", "refresh_token": refresh_token}


@attrs.frozen
class AccessToken:
    """An access token obtained elsewhere, used until the server refuses it.

    Args:
        access_token: the bearer token, without the word "Bearer".

    Raises:
        UsageError: the token is empty, not ASCII, or has spaces or control characters in it.

    Source: RFC 6750.
    """

    access_token: str = attrs.field(repr=False, converter=_secret, validator=_check_credential)
    # A token alone names no app.
    client_id: ClassVar[None] = None
    client_secret: ClassVar[None] = None


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

    client_id: str = attrs.field(validator=_check_credential)
    client_secret: str = attrs.field(repr=False, converter=_secret, validator=_check_credential)
    jwt: str = attrs.field(repr=False, converter=_secret, validator=_check_credential)
    is_repeatable: ClassVar[bool] = True

    def token_form(self) -> dict[str, str]:
        """Return the form that requests a token."""
        return {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": self.jwt,
        }

    def identity(self) -> str:
        """Return the credential of the user, a secret."""
        return self.jwt


@attrs.frozen
class RefreshTokenGrant:
    """A refresh token from an earlier login, which it continues.

    RingCentral replaces a refresh token at each use. Keep the newest in a TokenStore, or this one
    will not work a second time.

    Args:
        client_id: the app's client id.
        client_secret: the app's client secret; None for a public app, which has none.
        refresh_token: the refresh token.

    Raises:
        UsageError: one of them is empty, not ASCII, or has spaces or control characters in it.

    Source: RingCentral guide, "Refreshing access tokens"; RFC 6749 §6.
    """

    client_id: str = attrs.field(validator=_check_credential)
    client_secret: str | None = attrs.field(
        repr=False, converter=optional(_secret), validator=_check_optional
    )
    refresh_token: str = attrs.field(repr=False, converter=_secret, validator=_check_credential)
    is_repeatable: ClassVar[bool] = False

    def token_form(self) -> dict[str, str]:
        """Return the form that requests a token."""
        return refresh_form(self.refresh_token)

    def identity(self) -> str:
        """Return the credential of the user, a secret."""
        return self.refresh_token


@attrs.frozen
class AuthorizationCodeGrant:
    """The code that RingCentral's login page sent to the app's redirect URI; it works once.

    Args:
        client_id: the app's client id.
        client_secret: the app's client secret; None for a public app, which uses PKCE.
        code: the code.
        redirect_uri: the redirect URI in the login page's URL.
        code_verifier: the secret of the code challenge in the login page's URL (PKCE), or None.

    Raises:
        UsageError: one of them is empty, not ASCII, or has spaces or control characters in it.

    Source: RingCentral guide, "Authorization code flow"; RFC 6749 §4.1, RFC 7636.
    """

    client_id: str = attrs.field(validator=_check_credential)
    client_secret: str | None = attrs.field(
        repr=False, converter=optional(_secret), validator=_check_optional
    )
    code: str = attrs.field(repr=False, converter=_secret, validator=_check_credential)
    redirect_uri: str = attrs.field(validator=_check_credential)
    code_verifier: str | None = attrs.field(
        default=None, repr=False, converter=optional(_secret), validator=_check_optional
    )
    is_repeatable: ClassVar[bool] = False

    def token_form(self) -> dict[str, str]:
        """Return the form that requests a token."""
        form = {
            "grant_type": "authorization_code",
            "code": self.code,
            "redirect_uri": self.redirect_uri,
        }
        return form if self.code_verifier is None else form | {"code_verifier": self.code_verifier}

    def identity(self) -> str:
        """Return the credential of the user, a secret."""
        return self.code


Grant = JwtGrant | RefreshTokenGrant | AuthorizationCodeGrant
