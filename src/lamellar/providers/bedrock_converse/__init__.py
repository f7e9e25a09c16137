"""The dialect of Amazon Bedrock's Converse, which serves the models of many makers in one form."""

from __future__ import annotations

from ..wire import Dialect
from .failures import parse_error
from .listing import CONVERSE_MODELS
from .request import build_request
from .response import parse_response
from .stream import ConverseStreamParser

__all__ = ["BEDROCK_CONVERSE"]

BEDROCK_CONVERSE = Dialect(
    "converse", build_request, parse_response, parse_error, ConverseStreamParser, models=CONVERSE_MODELS
)
