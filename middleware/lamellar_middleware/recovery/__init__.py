"""What Retry and Fallback do about a stream that breaks after part of it was delivered (`on_interrupt`)."""

from __future__ import annotations

from .source import Recovery, Resumed, recovering

__all__ = ["Recovery", "Resumed", "recovering"]
