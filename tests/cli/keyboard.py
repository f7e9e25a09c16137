"""A terminal with somebody at its keyboard, and the real command in front of it."""

import os
import pty
import select
import subprocess
import sys
import time

from tests.cli.command import KEY, environment

_ON_ITS_OWN_TERMINAL = (
    "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from lamellar.cli import main; sys.exit(main())"
)


class Terminal:
    """`lamellar` on a terminal of its own, so that Ctrl-C is a key; leave the block to end it."""

    def __init__(self, *arguments, stdout=None, patience=20, **env):
        self._master, slave = pty.openpty()
        self._patience = patience
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ON_ITS_OWN_TERMINAL, *map(str, arguments)],
            stdin=slave,
            stdout=stdout or slave,
            stderr=slave,
            env=environment(**{"TERM": "xterm", "INPUTRC": os.devnull, **env}),
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""
        self._seen = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)
        assert "Traceback" not in self.shown
        assert KEY not in self.shown

    def press(self, keys):
        """Type."""
        os.write(self._master, keys.encode())

    def until(self, text):
        """Wait until `text` has come since the last time; what came up to it."""
        assert self._comes(text, self._patience), f"{text!r} did not come: {self.shown[self._seen :]!r}"
        begun, self._seen = self._seen, self.shown.index(text, self._seen) + len(text)
        return self.shown[begun : self._seen]

    def interrupt(self, text):
        """Press Ctrl-C; what came up to `text`.

        Python does not notice a signal between the moment it shows a prompt and the one it waits for a key, so the key
        is pressed again, as a person would, when nothing has happened at all.
        """
        for _ in range(4):
            self.press("\x03")
            if self._comes(text, self._patience / 4):
                break
        return self.until(text)

    def end(self):
        """The exit code, after the command has left by itself."""
        end = time.monotonic() + self._patience
        while left := max(end - time.monotonic(), 0):
            if select.select([self._master], [], [], left)[0] and not self._read():
                break
        return self._process.wait(max(end - time.monotonic(), 1))

    def _comes(self, text, patience):
        end = time.monotonic() + patience
        while text not in self.shown[self._seen :]:
            left = end - time.monotonic()
            if left <= 0:
                return False
            if select.select([self._master], [], [], left)[0]:
                assert self._read(), f"it ended before {text!r}: {self.shown[self._seen :]!r}"
        return True

    def _read(self):
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux's way to say that nobody has the terminal any more
            data = b""
        self.shown += data.decode(errors="replace")
        return data
