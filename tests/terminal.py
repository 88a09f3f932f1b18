"""A terminal: types commands as a person would, and keeps what they and it wrote."""

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 600
Reply = str | Callable[[str], object]


def ctrl_c(_: str) -> None:
    """A reply: Ctrl-C. Terminal.type knows it, and stops what it has started."""


class Terminal:
    """One window in a folder. Several may keep one recording."""

    def __init__(self, folder: Path, env: dict[str, str], recording: Path) -> None:
        self.folder = folder
        self._env = env | {"TERM": "dumb", "PYTHONUNBUFFERED": "1"}
        self._recording = recording

    def cd(self, folder: str) -> None:
        """Go to another folder."""
        self._record(f"$ cd {folder}\n")
        self.folder = (self.folder / folder).resolve()

    def type(self, command: str, *dialogue: tuple[str, Reply]) -> str:
        """Type a command and wait for its end; return what it printed.

        As soon as it has printed the first text of the dialogue the reply to it is given,
        and so on: words, or a function that is called with all that was printed.
        """
        self._record(f"$ {command}\n")
        screen, inside = pty.openpty()
        process = subprocess.Popen(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self._env | {"PWD": str(self.folder)},
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
        )
        os.close(inside)
        printed, seen = "", 0
        try:
            for text, reply in dialogue:
                while text not in printed[seen:]:
                    more = self._read(screen)
                    assert more, f"{text!r} did not come:\n{printed}"
                    printed += more
                seen = printed.index(text, seen) + len(text)
                if reply is ctrl_c:
                    self._record("^C\n")
                    os.killpg(process.pid, signal.SIGINT)
                elif callable(reply):
                    reply(printed)
                else:
                    os.write(screen, f"{reply}\n".encode())
            while more := self._read(screen):
                printed += more
            process.wait(SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            os.close(screen)
        return printed

    def _read(self, screen: int) -> str:
        """Return what is new on the screen, nothing at the end; note a longer wait."""
        start = time.monotonic()
        assert select.select([screen], [], [], SECONDS)[0], "nothing came"
        try:
            new = os.read(screen, 65536).decode(errors="replace").replace("\r\n", "\n")
        except OSError:  # how Linux tells the end
            return ""
        if (waited := time.monotonic() - start) >= 1:
            self._record(f"[{waited:.0f} s]\n")
        self._record(new)
        return new

    def _record(self, text: str) -> None:
        with self._recording.open("a") as file:
            file.write(text)
