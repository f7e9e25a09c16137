"""Guardrail: the user's own checks of what is asked and of what is answered; they let through, change, or refuse.

A whole answer is checked before anybody sees it. A stream shows its answer piece by piece, so there are three ways to
check one: its beginning, before anything is delivered (`on_response`); its text as it grows (`on_text`), which may
break it off; or all of it, collected and checked before it is delivered (`buffer`).
"""

from __future__ import annotations

from .executor import GuardrailExecutor
from .spec import Guardrail

__all__ = ["Guardrail", "GuardrailExecutor"]
