"""Redact: secrets and personal data stay here; the provider sees placeholders, and the caller gets the values back.

What is found in a request is replaced by a placeholder such as ``[EMAIL_1]``, the same value by the same one. Where the
answer says the placeholder, the value is put in its place again. Which placeholder stands for what is known to this one
call alone, and is forgotten with it.
"""

from __future__ import annotations

from .executor import RedactExecutor
from .spec import Redact

__all__ = ["Redact", "RedactExecutor"]
