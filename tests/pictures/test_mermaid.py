"""A stack as a Mermaid flowchart: a text that Mermaid parses, whatever the names in it are."""

from __future__ import annotations

import html
import re

import pytest
from tests.pictures.gallery import HARMFUL, composites, gallery, shadowed

from lamellar.middleware import Fallback, Retry, Target, Timeout
from lamellar.providers import OpenAI
from lamellar.stack import Stack

LABEL = r'"(?P<label>[^"\n]*)"'
NODES = [
    re.compile(rf"(?P<id>p\d+){before}{LABEL}{after}")
    for before, after in ((r"\[", r"\]"), (r"\{\{", r"\}\}"), (r"\(\[", r"\]\)"))
]
SUBGRAPH = re.compile(rf"subgraph (?P<id>t\d+) \[{LABEL}\]")
ARROW = re.compile(rf"(?P<from>p\d+) -->(?:\|{LABEL}\|)? (?P<to>p\d+)")
ENTITY = re.compile(r"#(\d+);")


class Chart:
    """A flowchart, read by the part of Mermaid's grammar that we write."""

    def __init__(self, text: str) -> None:
        first, *lines = text.splitlines()
        assert first == "flowchart TD"
        assert text.endswith("\n")
        self.nodes: dict[str, str] = {}
        self.targets: dict[str, str] = {}
        self.inside: dict[str, tuple[str, ...]] = {}
        self.arrows: list[tuple[str, str, str]] = []
        open_: list[str] = []
        for line in map(str.strip, lines):
            if line == "end":
                open_.pop()
            elif found := SUBGRAPH.fullmatch(line):
                open_.append(found["id"])
                self.targets[found["id"]] = shown(found["label"])
            elif found := next(filter(None, [shape.fullmatch(line) for shape in NODES]), None):
                assert found["id"] not in self.nodes
                self.nodes[found["id"]] = shown(found["label"])
                self.inside[found["id"]] = tuple(open_)
            else:
                found = ARROW.fullmatch(line)
                assert found is not None, line
                assert not open_, "an arrow within a subgraph draws both of its ends into it"
                self.arrows.append((found["from"], shown(found["label"] or ""), found["to"]))
        assert not open_


def shown(label: str) -> str:
    """What a reader sees; the marks of ours are the only ones that Mermaid may find in a label."""
    rest = ENTITY.sub("", label).replace("<b>", "").replace("</b>", "").replace("<br/>", "\n")
    assert not re.search(r"[\"<>&#%`*~\\\[\]|@]|://|www\.|style|classDef", rest), label
    assert not re.search(r"^(?:[-+=]|\d+[.)])(?:\s|$)", rest, re.MULTILINE), label
    plain = label.replace("<b>", "").replace("</b>", "").replace("<br/>", "\n")
    return html.unescape(ENTITY.sub(r"&#\1;", plain))


@pytest.mark.parametrize("name", gallery())
def test_every_stack_gives_a_chart_that_parses(name: str) -> None:
    stack = gallery()[name]
    chart = Chart(stack.to_mermaid())
    assert {end for start, _, end in chart.arrows} == set(chart.nodes) - {"p1"}, "all hangs together"
    assert len(chart.arrows) == len(chart.nodes) - 1
    assert stack.to_mermaid() == stack.model_copy().to_mermaid()


def test_a_small_stack_reads_well() -> None:
    stack = Stack(
        Timeout(total=300),
        Fallback(Target(Retry(attempts=3), OpenAI(), model="gpt-4o-mini"), Target(OpenAI(), model="gpt-4.1-mini")),
    )
    assert stack.to_mermaid() == (
        "flowchart TD\n"
        '  p1["<b>timeout</b><br/>total: 5m"]\n'
        '  p2{{"<b>fallback</b>"}}\n'
        '  subgraph t1 ["openai/gpt-4o-mini"]\n'
        '    p3["<b>retry</b><br/>attempts: 3"]\n'
        '    p4(["<b>openai</b>"])\n'
        "  end\n"
        '  subgraph t2 ["openai/gpt-4.1-mini"]\n'
        '    p5(["<b>openai</b>"])\n'
        "  end\n"
        "  p1 --> p2\n"
        '  p2 -->|"1"| p3\n'
        "  p3 --> p4\n"
        '  p2 -->|"2"| p5\n'
    )


def test_each_target_has_its_own_layers_in_it_and_a_nested_one_lies_within() -> None:
    chart = Chart(composites().to_mermaid())
    names = {node: [chart.targets[each] for each in inside] for node, inside in chart.inside.items()}
    titles = {node: label.partition("\n")[0] for node, label in chart.nodes.items()}
    assert {titles[node] for node, inside in names.items() if inside == ["openai/gpt-4o-mini"]} == {
        *("retry", "rate_limit", "openai")
    }
    assert [titles[node] for node, inside in names.items() if inside == ["hedged", "openai/a"]] == ["openai"]
    assert [way for _, way, _ in chart.arrows if way] == [
        *("1", "2", "1", "2: after p95, 250ms at first", "3: when one fails", "3"),
        *(
            "gpt-*",
            "big or above 1000 tokens or model o* and tag team=law",
            "all others",
            "4",
            "weight 3",
            "weight 1",
            "5",
        ),
    ]


def test_a_layer_leads_to_the_next_plate_and_to_its_branch() -> None:
    chart = Chart(shadowed().to_mermaid())
    (shadow,) = [node for node, label in chart.nodes.items() if label.startswith("shadow")]
    ways = {chart.nodes[end]: way for start, way, end in chart.arrows if start == shadow}
    assert ways == {"timeout\ntotal: 5s": "", "openai": "copy"}


@pytest.mark.parametrize("text", [each for each in HARMFUL if each.isprintable() and len(each) <= 60])
def test_a_label_shows_what_was_said(text: str) -> None:
    chart = Chart(Stack(Fallback(Target(OpenAI(), name=text))).to_mermaid())
    assert chart.targets == {"t1": " ".join(text.split())}
