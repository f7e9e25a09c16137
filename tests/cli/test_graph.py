"""`lamellar graph`: pictures of a stack, without keys."""

from xml.etree import ElementTree as ET

from tests.cli.command import lamellar, lamellar_each

STACK = """\
layers: [{timeout: {total: 5m}}]
executor:
  fallback:
    targets:
      - {model: gpt-4o-mini, layers: [{retry: {attempts: 2}}], executor: openai}
      - {model: claude, executor: anthropic}
"""

TREE = """\
stack
└─ timeout total=300
   └─ fallback
      ├─ target openai/gpt-4o-mini
      │  └─ retry attempts=2
      │     └─ openai
      └─ target anthropic/claude
         └─ anthropic
"""


def stack_file(folder, text=STACK):
    file = folder / "stack.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_tree_by_default_and_any_format_on_standard_output(tmp_path):
    file = stack_file(tmp_path)
    tree, mermaid, svg, dash = lamellar_each(
        ["graph", file],
        ["graph", file, "--format", "mermaid"],
        ["graph", file, "--format", "svg"],
        ["graph", file, "-o", "-"],
    )
    assert {(each.code, each.err) for each in (tree, mermaid, svg, dash)} == {(0, "")}
    assert tree.out == dash.out == TREE
    assert mermaid.out.startswith('flowchart TD\n  p1["<b>timeout</b><br/>total: 5m"]\n')
    assert ET.fromstring(svg.out).findtext("{http://www.w3.org/2000/svg}title") == "stack"


def test_a_files_ending_says_the_format_unless_it_is_said(tmp_path):
    file = stack_file(tmp_path)
    names = ("a.svg", "a.mmd", "a.mermaid", "a.txt", "A.SVG")
    results = lamellar_each(
        *[["graph", file, "-o", tmp_path / name] for name in names],
        ["graph", file, "-o", tmp_path / "a.md", "--format", "mermaid"],
    )
    assert {(each.code, each.out, each.err) for each in results} == {(0, "", "")}
    begins = [(tmp_path / name).read_text(encoding="utf-8")[:9] for name in (*names, "a.md")]
    assert begins == ["<svg xmln", "flowchart", "flowchart", "stack\n└─ ", "<svg xmln", "flowchart"]


def test_the_title_is_the_name_of_the_stack_or_of_the_file(tmp_path):
    several = "stacks: {one: {executor: openai}, two: {executor: anthropic}}"
    file = stack_file(tmp_path, several)
    (result,) = lamellar_each(["graph", file, "-s", "two", "--format", "svg"])
    assert result.code == 0, result.err
    assert ET.fromstring(result.out).findtext("{http://www.w3.org/2000/svg}title") == "two"
    assert "anthropic" in result.out


def test_what_is_asked_wrongly_is_told_and_nothing_is_written(tmp_path):
    file = stack_file(tmp_path)
    broken = tmp_path / "broken.yaml"
    broken.write_text("layers: [{retry: {atempts: 3}}]\nexecutor: openai\n")
    ending, format_, itself, wrong, missing = lamellar_each(
        ["graph", file, "-o", tmp_path / "a.gif"],
        ["graph", file, "--format", "mermiad"],
        ["graph", file, "-o", file, "--format", "svg"],
        ["graph", broken, "-o", tmp_path / "b.svg"],
        ["graph", tmp_path / "none.yaml"],
    )
    assert {each.code for each in (ending, format_, itself, wrong, missing)} == {2}
    assert "a.gif'? End it with .txt, .mmd, .mermaid, .svg, or say --format" in ending.err
    assert "there is no format 'mermiad'; did you mean 'mermaid'?" in format_.err
    assert "is the stack itself" in itself.err
    assert "did you mean 'attempts'?" in wrong.err
    assert "cannot be read" in missing.err
    assert file.read_text(encoding="utf-8") == STACK
    assert sorted(each.name for each in tmp_path.iterdir()) == ["broken.yaml", "stack.yaml"]


def test_a_folder_that_is_not_there_is_told_without_a_traceback(tmp_path):
    result = lamellar("graph", stack_file(tmp_path), "-o", tmp_path / "none" / "a.svg")
    assert (result.code, result.out) == (2, "")
    assert f"-o: {tmp_path / 'none' / 'a.svg'} cannot be written: No such file or directory" in result.err
