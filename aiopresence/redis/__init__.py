"""Share rate limits, tokens and presence between processes, through Redis.

It needs redis-py: `pip install 'aiopresence[redis]'`. Pass `RedisLimits` as `limits` and
`RedisTokenStore` as `token_store` of a session, and `RedisBoard` as `shared` of a board. `Fleet`
follows many accounts in several processes, and `read_fleet` returns what they do.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .board import RedisBoard as RedisBoard
    from .fleet import Fleet as Fleet
    from .fleet_keys import (
        FleetStatus as FleetStatus,
        FollowedAccount as FollowedAccount,
        read_fleet as read_fleet,
    )
    from .limits import RedisLimits as RedisLimits
    from .tokens import RedisTokenStore as RedisTokenStore

# The public names by their module, which is imported when one of them is first used.
_MODULES = {
    "Fleet": "fleet",
    "FleetStatus": "fleet_keys",
    "FollowedAccount": "fleet_keys",
    "RedisBoard": "board",
    "RedisLimits": "limits",
    "RedisTokenStore": "tokens",
    "read_fleet": "fleet_keys",
}

__all__ = sorted(_MODULES)


if not TYPE_CHECKING:  # Otherwise, type checkers would accept any name.

    def __getattr__(name: str) -> object:
        """Import a public name."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "redis":
                raise
            message = "aiopresence.redis needs redis-py: pip install 'aiopresence[redis]'"
            raise ImportError(message) from None
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
