"""A stack as an SVG image: well formed, readable, and without anything from elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

import pytest
from tests.docs.pages import PAGES, blocks_of
from tests.pictures.gallery import composites, gallery, large

from lamellar.middleware import Fallback, Retry, Target, Timeout
from lamellar.pictures.words import text_width
from lamellar.providers import OpenAI
from lamellar.stack import Stack

SVG = "{http://www.w3.org/2000/svg}"
NARROWEST = 7.2
"""Pixels of a character of 12 px in the narrower of the usual monospaced fonts."""


@dataclass
class Drawn:
    """A box of the image: its rectangle, and the texts in it."""

    role: str
    x: float
    y: float
    right: float
    bottom: float
    texts: list[tuple[float, float, str]]
    whole: str

    def apart_from(self, other: Drawn) -> bool:
        return self.right <= other.x or other.right <= self.x or self.bottom <= other.y or other.bottom <= self.y

    def within(self, other: Drawn) -> bool:
        return self.x >= other.x and self.right <= other.right and self.y >= other.y and self.bottom <= other.bottom


def read(text: str) -> tuple[ET.Element, list[Drawn]]:
    root = ET.fromstring(text)
    boxes = []
    for group in root.iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        x, y, width, height = [float(rect.get(name)) for name in ("x", "y", "width", "height")]
        texts = [(float(each.get("x")), float(each.get("y")), each.text or "") for each in group.iter(f"{SVG}text")]
        title = group.findtext(f"{SVG}title") or ""
        boxes.append(Drawn(group.get("class"), x, y, x + width, y + height, texts, title))
    return root, boxes


@pytest.mark.parametrize("name", gallery())
def test_every_stack_gives_an_image_in_which_nothing_overlaps(name: str) -> None:
    root, boxes = read(gallery()[name].to_svg(title=name))
    width, height = [float(each) for each in root.get("viewBox").split()[2:]]
    whole = Drawn("image", 0, 0, width, height, [], "")
    for box in boxes:
        assert box.within(whole)
        for x, y, text in box.texts:
            assert box.x < x, text
            assert x + text_width(text) * NARROWEST <= box.right, text
            assert box.y < y < box.bottom, text
    for one, other in combinations(boxes, 2):
        frames = "target" in (one.role, other.role)
        assert one.apart_from(other) or (frames and (one.within(other) or other.within(one))), (one, other)
    assert gallery()[name].to_svg(title=name) == gallery()[name].model_copy().to_svg(title=name)


def test_a_frames_own_words_stand_above_what_is_in_it() -> None:
    _, boxes = read(composites().to_svg())
    for frame in boxes:
        if frame.role == "target":
            inner = [box for box in boxes if box is not frame and box.within(frame)]
            assert inner
            assert max(y for _, y, _ in frame.texts) < min(box.y for box in inner)


def test_all_labels_are_there() -> None:
    _, boxes = read(composites().to_svg())
    texts = [" ".join(text for _, _, text in box.texts) for box in boxes]
    for said in ("timeout total: 5m first_content: 10s", "retry attempts: 3", "rate_limit requests_per_minute: 500"):
        assert said in texts
    for way in ("1", "5", "2: after p95, 250ms at first", "gpt-*", "all others", "weight 3"):
        assert way in texts
    assert next(box.whole for box in boxes if box.role == "target") == "openai/gpt-4o-mini"


def test_layers_stand_below_each_other_and_targets_side_by_side_in_order() -> None:
    _, boxes = read(large().to_svg())
    layers = [box for box in boxes if box.whole.startswith("timeout")]
    assert len(layers) == 20
    assert all(one.bottom < other.y for one, other in pairwise(layers))
    frames = [box for box in boxes if box.role == "target"]
    assert [frame.whole for frame in frames] == [f"openai/model-{number}" for number in range(10)]
    assert all(one.right < other.x for one, other in pairwise(frames))


def test_what_is_long_is_wrapped_then_cut_and_told_whole_to_who_points_at_it() -> None:
    name = "a target with quite a long name that goes on and on " * 3
    _, boxes = read(Stack(Fallback(Target(OpenAI(), name=name))).to_svg())
    (frame,) = [box for box in boxes if box.role == "target"]
    lines = [text for _, _, text in frame.texts]
    assert len(lines) == 3
    assert max(map(len, lines)) <= 30
    assert lines[-1].endswith("…")
    assert len(frame.whole) > 100


def test_it_says_in_words_what_it_shows() -> None:
    stack = Stack(Timeout(total=5), Fallback(Target(Retry(attempts=2), OpenAI(), model="a"), OpenAI()))
    root, _ = read(stack.to_svg(title="production <1>"))
    assert root.get("role") == "img"
    ids = {each.get("id"): each.text for each in root if each.get("id")}
    title, told = [ids[each] for each in root.get("aria-labelledby").split()]
    assert title == "production <1>"
    assert told.startswith("A call passes timeout (total: 5s), then fallback.")
    assert "fallback: 1 openai/a passes retry (attempts: 2), then openai." in told


def test_two_images_in_one_page_do_not_share_an_id() -> None:
    first, second = [read(stack.to_svg())[0] for stack in (composites(), large())]
    assert not set(first.get("aria-labelledby").split()) & set(second.get("aria-labelledby").split())


@pytest.mark.parametrize("name", [name for name in gallery() if name.startswith("harmful") or name == "composites"])
def test_it_holds_no_script_and_nothing_from_elsewhere(name: str) -> None:
    root, _ = read(gallery()[name].to_svg(title=name))
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
        "svg",
        "title",
        "desc",
        "style",
        "g",
        "rect",
        "text",
        "path",
    }
    assert not [name for each in root.iter() for name in each.attrib if "href" in name or name.startswith("on")]
    assert not re.search(r"url\(|@import|@font-face", root.findtext(f"{SVG}style"))


def test_it_can_be_read_in_light_and_in_dark() -> None:
    style = read(composites().to_svg())[0].findtext(f"{SVG}style")
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for rules in (light, dark):
        color = {
            each[0].strip(): each[1] for each in re.findall(r"\.lamellar ([^{\n]+) \{[^}]*?fill: (#\w{6});", rules)
        }
        for ground in (".paper", ".layer rect", ".composite rect", ".provider rect"):
            assert contrast(color["text"], color[ground]) >= 4.5
            assert contrast(color[".title"], color[ground]) >= 4.5
        assert contrast(color[".way text"], color[".way rect"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it (https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_image_in_the_documentation_is_what_we_draw() -> None:
    source = next(block.code for block in blocks_of(PAGES / "how-to" / "draw-a-stack.md") if block.language == "yaml")
    assert (PAGES / "assets" / "stack.svg").read_text(encoding="utf-8") == Stack.loads(source).to_svg(title="stack")
