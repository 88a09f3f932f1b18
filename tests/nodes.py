"""Valkey servers to be ill-treated: alone, watched by Sentinels, or as a Cluster."""

import contextlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Protocol

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.conftest import Server, Unavailable, Visitor, valkey
from tests.waiting import free_port, listens, wait_until

# A master would wait five seconds for more replicas before it sends them its data.
AT_ONCE = {"repl-diskless-sync-delay": "0"}


class Node:
    """A Valkey server, and a connection to it."""

    def __init__(self, **options: object) -> None:
        self.server = valkey(**options)
        self.server.start()
        self.port: int = self.server.port
        self.client = Redis(port=self.port, retry=Retry(NoBackoff(), 0))

    def hang(self) -> None:
        """Stop the server in the middle of what it does: it keeps its connections."""
        self.server._process.send_signal(SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        self.server._process.send_signal(SIGCONT)

    def kill(self) -> None:
        """End the server as a power cut would."""
        self.client.close()
        self.server.terminate()  # that is, SIGKILL

    def close(self) -> None:
        """End the server, whatever was done to it."""
        self.client.close()
        self.server.terminate()

    def cluster(self, *command: object) -> object:
        """Return the answer to a CLUSTER command."""
        return self.client.execute_command("CLUSTER", *command)


class Sentinel:
    """One Sentinel, which watches `mymaster`."""

    def __init__(self, folder: Path, master: Node, quorum: int, *lines: str) -> None:
        self.port = free_port()
        config = folder / f"sentinel-{self.port}.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\n"
            f"sentinel monitor mymaster 127.0.0.1 {master.port} {quorum}\n"
            "sentinel down-after-milliseconds mymaster 1000\n"
            "sentinel failover-timeout mymaster 3000\n" + "\n".join(lines) + "\n"
        )
        binary = master.server._binary_path
        self.process = subprocess.Popen(
            [binary, config, "--sentinel"], stdout=subprocess.DEVNULL
        )
        self.client = Redis(port=self.port, retry=Retry(NoBackoff(), 0))

    def hurry(self) -> None:
        """Ask and tell others each half second, rather than each ten and two seconds."""
        wait_until(lambda: listens(self.port))
        periods = ("INFO-PERIOD", 500, "PUBLISH-PERIOD", 500)
        self.client.execute_command("SENTINEL", "DEBUG", *periods)

    def master_port(self) -> int:
        """Return the port of the master, as this Sentinel knows it."""
        command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
        return int(self.client.execute_command(*command)[1])

    def knows(self, replicas: int, sentinels: int) -> bool:
        """Tell whether it has found so many others."""
        found = self.client.execute_command("SENTINEL REPLICAS", "mymaster")
        others = self.client.execute_command("SENTINEL SENTINELS", "mymaster")
        return len(found) == replicas and len(others) == sentinels

    def close(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait(10)


@contextlib.contextmanager
def master_and_replica() -> Iterator[tuple[Node, Node]]:
    """A master, and its replica, which is up to date."""
    with contextlib.ExitStack() as stack:
        master = Node(**AT_ONCE)
        stack.callback(master.close)
        replica = Node(replicaof=f"127.0.0.1 {master.port}")
        stack.callback(replica.close)
        wait_until(lambda: replica.client.info()["master_link_status"] == "up")
        yield master, replica


@contextlib.contextmanager
def sentinels(
    folder: Path, master: Node, number: int, *lines: str
) -> Iterator[list[Sentinel]]:
    """So many Sentinels, which know each other and the master's one replica."""
    with contextlib.ExitStack() as stack:
        group = []
        for _ in range(number):
            group.append(Sentinel(folder, master, number // 2 + 1, *lines))
            stack.callback(group[-1].close)
        if not lines:
            for sentinel in group:
                sentinel.hurry()
            for sentinel in group:
                wait_until(lambda s=sentinel: s.knows(1, number - 1))  # type: ignore[misc]
        yield group


def url_of(group: Sequence[Node | Sentinel]) -> str:
    """Return the REDIS_URL of a Cluster, or of a master that these Sentinels watch."""
    hosts = ",".join(f"127.0.0.1:{one.port}" for one in group)
    if isinstance(group[0], Sentinel):
        return f"redis+sentinel://{hosts}/mymaster/0"
    return f"redis+cluster://{hosts}"


def start_cluster_node(**options: str) -> Node:
    """Start a server that can join a Cluster."""
    settings = {"cluster-enabled": "yes", "cluster-node-timeout": "1000"}
    return Node(**settings, **AT_ONCE, **{"cluster-port": free_port()}, **options)


def join(first: Node, *others: Node) -> None:
    """Make them one Cluster."""
    for node in others:
        bus = node.client.config_get("cluster-port")["cluster-port"]
        first.cluster("MEET", "127.0.0.1", node.port, bus)

    def agree() -> bool:
        states = [n.client.execute_command("CLUSTER INFO") for n in (first, *others)]
        return len({state["cluster_known_nodes"] for state in states}) == 1 and all(
            int(state["cluster_known_nodes"]) > len(others) for state in states
        )

    wait_until(agree)


@contextlib.contextmanager
def cluster(masters: int = 3, **options: str) -> Iterator[list[Node]]:
    """A Cluster of so many masters."""
    with contextlib.ExitStack() as stack:
        nodes = []
        for _ in range(masters):
            nodes.append(start_cluster_node(**options))
            stack.callback(nodes[-1].close)
        bounds = [16384 * n // masters for n in range(masters + 1)]
        for node, first, after in zip(nodes, bounds, bounds[1:], strict=False):
            node.cluster("ADDSLOTSRANGE", first, after - 1)
        join(*nodes)
        for node in nodes:
            wait_until(lambda n=node: state_of(n) == "ok")  # type: ignore[misc]
        yield nodes


def state_of(node: Node) -> str:
    """Return ok or fail."""
    return str(node.client.execute_command("CLUSTER INFO")["cluster_state"])


class Holder(Protocol):
    """A server of a Cluster."""

    port: int
    client: Redis


def move(slot: int, source: Holder, target: Holder, others: Sequence[Holder]) -> None:
    """Hand a slot over, as `valkey-cli --cluster reshard` does."""
    source_id, target_id = (
        node.client.execute_command("CLUSTER", "MYID") for node in (source, target)
    )
    set_slot = ("CLUSTER", "SETSLOT", slot)
    target.client.execute_command(*set_slot, "IMPORTING", source_id)
    source.client.execute_command(*set_slot, "MIGRATING", target_id)
    while keys := source.client.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
        time.sleep(0.05)  # so that visitors come while some keys are here, some there
        source.client.migrate("127.0.0.1", target.port, keys, 0, 5000)
    time.sleep(0.05)
    for node in (target, source, *others):
        node.client.execute_command(*set_slot, "NODE", target_id)


def visitor_on(node: Node, url: str) -> Visitor:
    """Return a new visitor whose session is on that server."""
    while True:
        before = node.client.dbsize()
        visitor = Visitor(url)
        visitor.count()
        if node.client.dbsize() > before:
            return visitor


def refused(visitor: Visitor) -> float:
    """Visit, and return the seconds until the 503."""
    started = time.monotonic()
    with contextlib.suppress(Unavailable):
        raise AssertionError(f"counted: {visitor.count()}")
    return time.monotonic() - started


def lines_of(server: Server, node: Node) -> list[str]:
    """Return what the app has logged about a server."""
    return [line for line in server.log if f"Redis at 127.0.0.1:{node.port}" in line]
