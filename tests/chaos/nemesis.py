"""Does harm, one fault after the other, drawn from a seed: to Redis, and to gunicorn."""

import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from signal import SIGCONT, SIGKILL, SIGSTOP
from threading import Event

from tests.chaos.history import Fault
from tests.chaos.stage import WORKERS, Instance
from tests.chaos.topologies import (
    Cluster,
    OneServer,
    SentinelPair,
    Store,
    Topology,
)
from tests.waiting import wait_until

PAUSES = 0.3, 2.0  # seconds between two faults

# A replica that is promoted need not have all that its master has acknowledged. While a
# healthy master is being replaced, both take writes, for some seconds.
KILLED = "the master is killed"
ASLEEP = "the master hangs until it is none"
SPLITTING = "a failover is ordered"
LOSING = (KILLED, ASLEEP, SPLITTING)
TWICE = "redis, twice"  # the Sentinels, on a busy machine, replaced the new one, too

# Does it, and returns its target.
Deed = Callable[[random.Random], str]
Deeds = dict[str, Deed]


def ill_treat(deeds: Deeds, chance: random.Random, over: Event) -> list[Fault]:
    """Do one deed after the other until it is over; return what was done, and when."""
    faults = []
    while not over.wait(chance.uniform(*PAUSES)):
        kind = chance.choice(list(deeds))
        start = time.monotonic()
        target = deeds[kind](chance)
        splits = kind == SPLITTING or target == TWICE
        loses = splits or kind in LOSING
        end = time.monotonic()
        faults.append(Fault(kind, target, start, end, loses=loses, splits=splits))
    return faults


def to_instances(instances: Sequence[Instance]) -> Deeds:
    """What happens to gunicorn."""

    def kill(chance: random.Random) -> str:
        instance = chance.choice(instances)
        _signal(chance.choice(instance.workers()), SIGKILL)
        return _replaced(instance)

    def hang(chance: random.Random) -> str:
        instance = chance.choice(instances)
        worker = chance.choice(instance.workers())
        _signal(worker, SIGSTOP)
        time.sleep(chance.uniform(0.1, 2.0))
        _signal(worker, SIGCONT)
        return instance.name

    def hang_for_good(chance: random.Random) -> str:
        instance = chance.choice(instances)
        victim = chance.choice(instance.workers())
        _signal(victim, SIGSTOP)
        wait_until(lambda: victim not in instance.workers())
        return _replaced(instance)

    def restart(chance: random.Random) -> str:
        instance = chance.choice(instances)
        instance.restart()
        return instance.name

    return {
        "a worker is killed": kill,
        "a worker hangs": hang,
        "a worker hangs for good": hang_for_good,
        "an instance is restarted": restart,
    }


def to_store(topology: Topology) -> Deeds:
    """What happens to the servers that hold the sessions."""
    match topology:
        case OneServer():
            return _to_one_server(topology)
        case SentinelPair():
            return _to_a_pair(topology)
        case Cluster():
            return _to_a_cluster(topology)


def _to_one_server(topology: OneServer) -> Deeds:
    store = topology.store

    def hang(chance: random.Random) -> str:
        _hang(store, chance.uniform(0.1, 3.0))
        return "redis"

    def kill(chance: random.Random) -> str:
        _kill(store, chance.uniform(0.0, 2.0))
        return "redis"

    def cut(chance: random.Random) -> str:
        topology.proxy.cut()
        return "redis"

    def forget(chance: random.Random) -> str:
        store.forget_scripts()
        return "redis"

    return {
        "Redis hangs": hang,
        "Redis is killed": kill,
        "answers are cut": cut,
        "scripts are forgotten": forget,
    }


def _to_a_pair(pair: SentinelPair) -> Deeds:
    def kill(chance: random.Random) -> str:
        old, new = pair.roles()
        old.kill()
        wait_until(lambda: pair.master() is new, 60)
        old.start("--replicaof", f"127.0.0.1 {new.port}")
        return settled(new)

    def hang(chance: random.Random) -> str:
        old, new = pair.roles()
        old.hang()
        wait_until(lambda: pair.master() is new, 60)
        time.sleep(chance.uniform(0.0, 1.0))
        old.wake()
        return settled(new)

    def order(chance: random.Random) -> str:
        _, new = pair.roles()
        pair.order_failover(new)
        return settled(new)

    def hang_replica(chance: random.Random) -> str:
        master, replica = pair.roles()
        _hang(replica, chance.uniform(0.1, 0.5))
        return "replica" if pair.settle() is master else TWICE

    def drop(chance: random.Random) -> str:
        pair.roles()[0].drop_connections()
        return "redis"

    def forget(chance: random.Random) -> str:
        pair.roles()[0].forget_scripts()
        return "redis"

    def settled(expected: Store) -> str:
        return "redis" if pair.settle() is expected else TWICE

    return {
        KILLED: kill,
        ASLEEP: hang,
        SPLITTING: order,
        "the replica hangs": hang_replica,
        "connections are dropped": drop,
        "scripts are forgotten": forget,
    }


def _to_a_cluster(cluster: Cluster) -> Deeds:
    def hang(chance: random.Random) -> str:
        store = chance.choice(cluster.stores)
        _hang(store, chance.uniform(0.5, 6.0))
        cluster.settle()
        return store.name

    def kill(chance: random.Random) -> str:
        store = chance.choice(cluster.stores)
        _kill(store, chance.uniform(0.0, 4.0))
        cluster.settle()
        return store.name

    def move(chance: random.Random) -> str:
        source, target = chance.sample(cluster.stores, 2)
        return cluster.move_a_session(source, target)

    def drop(chance: random.Random) -> str:
        store = chance.choice(cluster.stores)
        store.drop_connections()
        return store.name

    def forget(chance: random.Random) -> str:
        store = chance.choice(cluster.stores)
        store.forget_scripts()
        return store.name

    return {
        "a master hangs": hang,
        "a master is killed": kill,
        "a slot moves": move,
        "connections are dropped": drop,
        "scripts are forgotten": forget,
    }


def _hang(store: Store, seconds: float) -> None:
    store.hang()
    time.sleep(seconds)
    store.wake()


def _kill(store: Store, seconds: float) -> None:
    store.kill()
    time.sleep(seconds)
    store.start()


def _signal(worker: int, signal: int) -> None:
    with suppress(ProcessLookupError):  # it may have ended by itself
        os.kill(worker, signal)


def _replaced(instance: Instance) -> str:
    wait_until(lambda: len(instance.workers()) == WORKERS)
    return instance.name
