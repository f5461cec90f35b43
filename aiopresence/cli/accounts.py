"""Read the file with the accounts of a fleet."""

from functools import partial
from pathlib import Path

from .. import UsageError
from .settings import Settings, parse_values
from .toml_tables import Tables, read_tables

# 100,000 accounts with a JWT each. A guess.
_MAX_BYTES = 128 * 1024 * 1024


def read_accounts(file: Path) -> dict[str, Settings]:
    """Return the credentials of each account in a file, by its name.

    Raises:
        UsageError: the file cannot be read, something in it is missing or wrong, or two accounts
            have the same credentials.
    """
    if not file.exists():
        raise UsageError(f"cannot read {file}: no such file")
    tables = read_tables(file, "account", _MAX_BYTES)
    if not tables.by_name:
        raise UsageError(f"{file} has no accounts; use a table [account.NAME] for each")
    accounts, names = dict[str, Settings](), dict[tuple[str | None, ...], str]()
    for name, values in tables.by_name.items():
        if not isinstance(values, dict):
            raise UsageError(f"{file}: [account] lacks a name; use a table [account.NAME] for each")
        place = partial(_place, tables, name)  # Finding the line takes a while.
        settings = Settings(**parse_values(values, place), sources={})
        missing = [
            each for each in ("client_id", "client_secret", "jwt") if not getattr(settings, each)
        ]
        if missing:
            raise UsageError(f"{place()}: not set: {', '.join(missing)}")
        login = settings.server_url.rstrip("/"), settings.client_id, settings.jwt
        if (other := names.setdefault(login, name)) != name:
            raise UsageError(
                f"{place()} has the same client_id and jwt as account.{other}; remove one"
            )
        accounts[name] = settings
    return accounts


def _place(tables: Tables, name: str, key: str | None = None) -> str:
    return f"{tables.place(name, key)}, account.{name}"
