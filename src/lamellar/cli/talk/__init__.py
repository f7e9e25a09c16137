"""A conversation on a terminal: each message is a turn, and what was said goes back with the next."""

from __future__ import annotations

from .commands import NAMES
from .conversation import Conversation
from .lines import KeyboardLines, Lines
from .talk import Talk

__all__ = ["NAMES", "Conversation", "KeyboardLines", "Lines", "Talk"]
