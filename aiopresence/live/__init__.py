"""Following presence: events, the board, and polling."""

from .board import PresenceBoard
from .calls import LiveCalls

__all__ = ["LiveCalls", "PresenceBoard"]
