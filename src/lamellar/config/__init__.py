"""Stacks as text: YAML, TOML and JSON are three spellings of the same data.

A document is read as nodes that know their places (`nodes`, one reader a format), its stacks and those of its includes
are gathered by name (`documents`), what is said by reference is written out (`expand`, `values`), the specs validate
it, and what they say is wrong is told with its place (`complaints`).
"""

from __future__ import annotations

from .documents import StackNotNamedError
from .dumping import dump
from .loading import load, load_all, loads

__all__ = ["StackNotNamedError", "dump", "load", "load_all", "loads"]
