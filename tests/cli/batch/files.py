"""The files of a batch, and the command over them."""

import json
import subprocess
import sys

from tests.cli.command import environment, lamellar

STACK = """\
layers: [{{timeout: {{attempt: 10s}}}}]
executor: {{openai: {{base_url: "{url}", api_key: {{env: CLI_TEST_KEY}}}}}}
"""


class Files:
    """IN, OUT and the stack of one test."""

    def __init__(self, folder, simulator):
        self.source, self.target, self.stack = folder / "in.jsonl", folder / "out.jsonl", folder / "stack.yaml"
        self.stack.write_text(STACK.format(url=simulator.base_url), encoding="utf-8")

    def ask(self, *lines):
        """Write IN: a dictionary is a line of JSON, text stands as it is."""
        text = "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in lines)
        self.source.write_text(text, encoding="utf-8")

    def prompts(self, count):
        self.ask(*[{"id": f"q{number}", "prompt": f"question {number}"} for number in range(1, count + 1)])

    def arguments(self, *more):
        return ["batch", self.source, self.target, "-c", self.stack, "-m", "gpt-4o-mini", *more]

    def run(self, *more, **options):
        return lamellar(*self.arguments(*more), **options)

    def start(self, *more):
        """The command, still running."""
        command = [sys.executable, "-m", "lamellar", *map(str, self.arguments(*more))]
        return subprocess.Popen(command, stderr=subprocess.PIPE, env=environment())

    @property
    def size(self):
        return self.target.stat().st_size if self.target.exists() else 0

    @property
    def answers(self):
        """The lines of OUT, by the number of the line they answer; each stands there once."""
        found = [json.loads(line) for line in self.target.read_text(encoding="utf-8").splitlines()]
        by_number = {each["line"]: each for each in found}
        assert len(by_number) == len(found)
        return by_number


def asked(request):
    """What a logged request asks."""
    return request.messages[-1]["content"]
