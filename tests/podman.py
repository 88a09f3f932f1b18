"""Podman as the tests use it: with a store of its own, and base images from Debian."""

import fcntl
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

# Kept between runs: making the base images takes two minutes.
KEPT = Path.home() / ".cache/visit-images"
# Debian's unstable suite has the newest Pythons. They get the names of the official images,
# which no test downloads, and are found in the same place there.
PYTHONS = ("3.14", "3.15")
# Of those whom this machine trusts; what is beside it stays the image's own.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# A mirror may be older than unstable's lists, which are valid for a few days.
INSTALL = """apt-get -q -o Acquire::Check-Valid-Until=false update && \\
    DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends"""
PYTHON_FILE = f"""
FROM localhost/sid
RUN {INSTALL} python{{version}} python{{version}}-venv
RUN python{{version}} -m venv /usr/local
"""
# A server on which somebody has typed the first line of the README's section.
SERVER = "localhost/server"
SERVER_FILE = f"""
FROM localhost/bookworm
RUN {INSTALL} systemd dbus sudo curl openssl \\
    git make nginx python3-venv redis-server
"""
DEBOOTSTRAP = (
    "debootstrap --variant=minbase --include=ca-certificates {suite} {tree} {mirror}"
)
RECIPE = "\n".join([DEBOOTSTRAP, *PYTHONS, PATH, PYTHON_FILE, SERVER, SERVER_FILE])


def python_image(version: str) -> str:
    """Return the name of the official image of a Python."""
    return f"docker.io/library/python:{version}-slim"


class Podman:
    """Runs podman's commands; what it makes is kept in one folder."""

    def __init__(
        self, folder: Path, store: Path | None = None, images: Path | None = None
    ) -> None:
        """Keep images there or in a store; use those of another, without changing them.

        Podman allows the folder's path no more than some 45 characters.
        """
        self._options = [
            *("--root", f"{store or folder / 'store'}", "--runroot", f"{folder}/run"),
            *("--tmpdir", f"{folder}/libpod", "--cgroup-manager", "cgroupfs"),
            *("--runtime", "runc"),
        ]
        if images:
            self._options += ["--storage-opt", f"additionalimagestore={images}"]
        settings = pip_settings(folder)
        self._more = {
            # Without rights that a machine may lack, and by its own way to the packages.
            "build": [
                "--isolation=chroot",
                "--network=host",
                "--pull=never",
                *settings,
            ],
            # Ends by itself if the tests are killed; no limit is above the machine's.
            "run": [
                "--timeout=600",
                "--ulimit=nofile=1024:1024",
                "--ulimit=nproc=1024:1024",
            ],
        }

    def command(self, verb: str, *arguments: str | Path) -> list[str]:
        """Return a command of podman's."""
        more = self._more.get(verb, [])
        return ["podman", *self._options, verb, *more, *map(str, arguments)]

    def __call__(
        self, verb: str, *arguments: str | Path, stdin: str = "", timeout: float = 300
    ) -> str:
        """Run a command; return what it prints, or fail with it."""
        status, output = self.attempt(verb, *arguments, stdin=stdin, timeout=timeout)
        assert status == 0, output
        return output

    def attempt(
        self, verb: str, *arguments: str | Path, stdin: str = "", timeout: float = 300
    ) -> tuple[int, str]:
        """Run a command; return its status, and all that it prints."""
        done = subprocess.run(
            self.command(verb, *arguments),
            check=False,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        return done.returncode, done.stdout


def pip_settings(folder: Path) -> list[str]:
    """Return options for a build that installs from where this machine does."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        check=True,
        capture_output=True,
        text=True,
    )
    settings = dict(
        re.findall(r"^[\w:]+\.([\w-]+)='(.*)'$", listed.stdout, re.MULTILINE)
    )
    config = folder / "pip.conf"
    lines = [f"{name} = {value}\n" for name, value in settings.items()]
    config.write_text("[global]\n" + "".join(lines))
    words = " ".join(settings.values()).split()
    paths = [Path(word) for word in words if word.startswith("/")]
    # An index in a folder names files beside that folder.
    prefix = "file://"
    paths += [
        Path(w.removeprefix(prefix)).parent for w in words if w.startswith(prefix)
    ]
    mounts = {path: path for path in paths if path.exists()}
    mounts |= {
        Path("/etc/pip.conf"): config,
        CERTIFICATES: CERTIFICATES,
    }
    return [f"--volume={source}:{target}:ro" for target, source in mounts.items()]


@contextmanager
def base_images() -> Iterator[Path]:
    """Lend the store with the base images; make them if they are not there yet."""
    # One for each version of this, and its lock beside it.
    folder = KEPT / sha256(RECIPE.encode()).hexdigest()[:12]
    done = folder / "done"
    KEPT.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        while True:
            fcntl.flock(lock, fcntl.LOCK_SH)
            if done.exists():
                break
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():  # another run may have made them meanwhile
                with TemporaryDirectory(prefix="podman-") as short:
                    make_base_images(folder, Path(short))
                done.touch()
        yield folder / "store"


def make_base_images(folder: Path, short: Path) -> None:
    """Make all images from Debian's packages, with what podman needs meanwhile elsewhere."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    podman = Podman(short, folder / "store")
    targets = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    mirrors = subprocess.check_output([*targets, "Created-By: Packages"], text=True)
    [mirror, *_] = [
        uri for uri in mirrors.split() if uri.rstrip("/").endswith("debian")
    ]

    def make(suite: str) -> None:
        tree, archive = folder / suite, folder / f"{suite}.tar"
        command = DEBOOTSTRAP.format(suite=suite, tree=tree, mirror=mirror).split()
        for last in (False, False, True):  # one of some 100 downloads may fail
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                break
            assert not last, done.stdout + done.stderr
            shutil.rmtree(tree)
        tar = ["tar", "-C", str(tree), "-cf", str(archive), "."]
        subprocess.run(tar, check=True)
        podman("import", f"--change=ENV PATH={PATH}", archive, f"localhost/{suite}")
        shutil.rmtree(tree)
        archive.unlink()

    with ThreadPoolExecutor() as threads:
        list(threads.map(make, ["sid", "bookworm"]))
    for version in PYTHONS:
        name = f"--tag={python_image(version)}"
        file = PYTHON_FILE.format(version=version)
        status, output = podman.attempt("build", name, "-", stdin=file, timeout=900)
        gone = f"Unable to locate package python{version}" in output
        assert not gone, f"Debian unstable no longer has Python {version}: see PYTHONS"
        assert status == 0, output
    podman("build", f"--tag={SERVER}", "-", stdin=SERVER_FILE, timeout=900)


def arguments_of(line: str) -> list[str]:
    """Return the verb and the arguments of a `docker` command."""
    return shlex.split(line)[1:]


def container_name() -> str:
    """Return a name that no other container has."""
    return f"test-{uuid4().hex}"
