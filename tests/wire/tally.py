"""What was compared; printed at the end of the run, and checked by the last test."""

from __future__ import annotations

compared: set[str] = set()
"""The ids whose whole comparison succeeded."""

expected: set[str] = set()
"""The ids of all recordings of the dialects that are tested."""
