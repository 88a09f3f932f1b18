"""A real PostgreSQL of the tests' own, as Debian packages it."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

[PROGRAMS] = Path("/usr/lib/postgresql").glob("*/bin")
# It refuses to run as root.
AS_POSTGRES = (
    ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    if os.getuid() == 0
    else []
)


class PostgreSQL:
    """A server that listens on a socket in a folder of its own, and on no port."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        if AS_POSTGRES:
            shutil.chown(self.folder, "postgres")
        self.url = f"postgresql://postgres@/postgres?host={self.folder}"
        self._run("initdb", "--auth=trust", "--username=postgres", "--no-sync")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-c fsync=off -c listen_addresses= -c unix_socket_directories={self.folder}"
        log = self.folder / "log"
        self._run("pg_ctl", "start", "--wait", f"--log={log}", f"--options={options}")

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `immediate` is a crash."""
        self._run("pg_ctl", "stop", "--wait", f"--mode={mode}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all its processes: the first one starts no more of them."""
        main = (self.folder / "data/postmaster.pid").read_text().split()[0]
        os.kill(int(main), number)
        listed = subprocess.check_output(["pgrep", "-P", main], text=True).split()
        for pid in listed:
            os.kill(int(pid), number)

    def remove(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *options: str) -> None:
        data = f"--pgdata={self.folder / 'data'}"
        subprocess.run(
            [*AS_POSTGRES, PROGRAMS / program, data, *options],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
        )
