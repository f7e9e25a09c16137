"""Telling reasoning from text: however the text is cut, and whether a piece is fed or passes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lamellar.thinking import THINK, ThinkSplitter

WORDS = st.sampled_from(["<think>", "</think>", "<r>", "</r>", "<", "<th", "ink>", " ", "\n", "a", "</", "b c"])


def split(pieces: list[str], *, inside: bool, passing: bool) -> list[tuple[bool, str]]:
    """What the pieces come to, neighbours of one kind joined."""
    splitter = ThinkSplitter((THINK, ("<r>", "</r>")), inside=inside, separator="|")
    found: list[tuple[bool, str]] = []
    for piece in pieces:
        found += [(False, piece)] if passing and splitter.passes(piece) else splitter.feed(piece)
    joined: list[tuple[bool, str]] = []
    for kind, piece in [*found, *splitter.finish()]:
        if joined and joined[-1][0] is kind:
            joined[-1] = (kind, joined[-1][1] + piece)
        elif piece:
            joined.append((kind, piece))
    return joined


@given(st.lists(WORDS, max_size=15), st.booleans())
def test_neither_the_cuts_nor_the_short_way_make_a_difference(pieces: list[str], inside: bool) -> None:
    said = "".join(pieces)
    whole = split([said], inside=inside, passing=False)
    for cut in (pieces, list(said)):
        for passing in (True, False):
            assert split(cut, inside=inside, passing=passing) == whole


def test_what_is_fed_after_the_end_is_a_text_of_its_own() -> None:
    splitter = ThinkSplitter(inside=True, separator="|")
    assert splitter.feed("a</th") + splitter.finish() == [(True, "a"), (True, "</th")]
    assert splitter.feed("b<think>c") + splitter.finish() == [(False, "b"), (True, "|c")]
