"""The file with the accounts of a fleet."""

from collections.abc import Mapping
from pathlib import Path

from aiopresence.sandbox import Sandbox


def accounts_file(folder: Path, accounts: Mapping[str, Sandbox]) -> Path:
    """Write the credentials of some accounts, by name, and return the file."""
    file = folder / "accounts.toml"
    file.write_text(
        "".join(
            f'[account.{name}]\nserver_url = "{each.url}"\nclient_id = "{each.client_id}"\n'
            f'client_secret = "{each.client_secret}"\njwt = "{each.jwt}"\n'
            for name, each in accounts.items()
        )
    )
    return file
