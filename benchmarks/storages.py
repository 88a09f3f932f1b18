"""What each storage costs a visit: Redis in its forms, memory, and those of the docs."""

import contextlib
import re
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.apps import FOLDER, OURS, App, install, run
from benchmarks.candidate import VISITORS, Candidate
from benchmarks.rounds import Results, Turn, attempt, in_turns, seconds
from benchmarks.stores import cluster, postgresql, server, watched, with_tls
from tests.pages import section

REDIS = "Redis"
STORAGES = [REDIS, "Sentinel", "Cluster", "TLS", "memory", "SQLite", "PostgreSQL"]


def measure() -> Results:
    """Run the app on each, beside each other; return what was found."""
    failed: dict[str, str] = {}
    turns = {}
    install(OURS)
    with TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        for name in STORAGES:
            own = Path(folder, name)
            own.mkdir()
            if turn := attempt(partial(prepare, name, own, running), name, failed):
                turns[name] = turn
        return {"found": in_turns(turns, failed), "failed": failed}


def prepare(name: str, folder: Path, running: contextlib.ExitStack) -> Turn:
    """Start one of them, and the app on it."""
    app, url, variables = open_storage(name, folder, running)
    candidate = Candidate(app, url, variables)
    running.callback(candidate.stop)
    cookies = [candidate.visitor() for _ in range(VISITORS)]
    candidate.count(cookies, 1)  # to warm up
    return partial(candidate.count, cookies, seconds(2))


def open_storage(
    name: str, folder: Path, running: contextlib.ExitStack
) -> tuple[App, str, dict[str, str]]:
    """Start one of them; return the app, its REDIS_URL, and other settings that it needs."""
    if name == "memory":
        return OURS, "memory://", {}
    if name == "Sentinel":
        return OURS, running.enter_context(watched(folder)), {}
    if name == "Cluster":
        return OURS, running.enter_context(cluster(folder)), {}
    if name == "TLS":
        url, ca = running.enter_context(with_tls(folder))
        return OURS, url, {"REDIS_CA_CERT": str(ca)}
    if name == "SQLite":
        return with_own("an SQLite file", str(folder / "sessions.db")), "", {}
    if name == "PostgreSQL":
        return with_own(name, running.enter_context(postgresql())), "", {}
    return OURS, running.enter_context(server(folder))[0], {}


def with_own(name: str, address: str) -> App:
    """Put a storage of docs/storage.md into the app; return the app that uses it."""
    text = section(FOLDER / "docs/storage.md", f"In {name}")
    [module] = set(re.findall(r"`app/(\w+)\.py`", text)) - {"__init__", "settings"}
    [code] = re.findall(r'^```python\n(""".*?)^```$', text, re.DOTALL | re.MULTILINE)
    [storage] = re.findall(r"^class (\w+)\(Storage\)", code, re.MULTILINE)
    for needed in re.findall(r"echo '(.+)' >> requirements\.in", text):
        python = OURS.program("python")
        run("uv", "pip", "install", "--quiet", "--python", python, needed)
    (FOLDER / f"app/{module}.py").write_text(code)
    (FOLDER / f"with_{module}.py").write_text(
        f"from app import create_app\nfrom app.{module} import {storage}\n\n"
        f"app = create_app({storage}({address!r}))\n"
    )
    return App(name, FOLDER, f"gunicorn with_{module}:app --bind")
