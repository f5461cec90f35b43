"""Follow presence over time: events, the board, and polling."""

from .board import PresenceBoard

__all__ = ["PresenceBoard"]
