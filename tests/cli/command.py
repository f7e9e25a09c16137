"""The real command, run in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

KEY = "sk-sentinel-0123456789abcdef"
KEY_VARIABLE = "CLI_TEST_KEY"

STACK = """\
layers:
  - timeout: {{first_content: 2s, idle: 2s}}
executor:
  fallback:
    targets:
      - model: gpt-4o-mini
        layers: [{{retry: {{attempts: 2, initial: 20ms, overloaded_initial: 20ms}}}}]
        executor: {{openai: {{base_url: "{primary}", api_key: {{env: CLI_TEST_KEY}}}}}}
"""

BACKUP = """\
      - model: gpt-4.1-mini
        executor: {{openai: {{base_url: "{backup}", api_key: {{env: CLI_TEST_KEY}}}}}}
"""


@dataclass(frozen=True)
class Result:
    """What the command did."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def environment(**more):
    """This process's environment without what would change the output, and with a key."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().endswith("_PROXY") and name not in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "OPENAI_API_KEY")
    }
    found = {**kept, KEY_VARIABLE: KEY, "PYTHONUTF8": "1", **more}
    return {name: value for name, value in found.items() if value is not None}


def lamellar(*arguments, stdin=b"", env=None, script=None, timeout=30):
    """Run `lamellar` with these arguments; `script` runs other code in its place."""
    command = [sys.executable, "-c", script] if script else [sys.executable, "-m", "lamellar"]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=environment(**(env or {})),
        timeout=timeout,
        check=False,
    )
    result = Result(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in result.out + result.err, result.err
    assert KEY not in result.out + result.err
    return result


DRIVER = """
import contextlib, io, json, sys
from lamellar.cli import main

done = []
for arguments in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    done.append([code, out.getvalue(), err.getvalue()])
json.dump(done, sys.stdout)
"""


def lamellar_each(*commands):
    """Run several commands that need no server, in one process: what a process costs is paid once."""
    result = lamellar(script=DRIVER, stdin=json.dumps([list(map(str, each)) for each in commands]).encode())
    assert (result.code, result.err) == (0, "")
    return [Result(*each) for each in result.json]


def stack_file(folder, simulator, backup=None):
    """A stack file with a retry at the simulator, and perhaps a second target."""
    text = STACK.format(primary=simulator.base_url)
    if backup is not None:
        text += BACKUP.format(backup=backup.base_url)
    file = folder / "stack.yaml"
    file.write_text(text, encoding="utf-8")
    return file
