"""What this machine offers: cores to pin to, and memory."""

import contextlib
import os
import platform
import time
from pathlib import Path

PINNED = hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1
APP_CORE, LOAD_CORE = 0, 1


def pin(pid: int, core: int) -> None:
    """Keep a process, and what it starts from now on, on one core."""
    if PINNED:
        os.sched_setaffinity(pid, {core})


def family(pid: int) -> list[int]:
    """Return a process and its children, as far as they are known."""
    with contextlib.suppress(OSError):
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [pid, *map(int, listed.split())]
    return [pid]


def cpu_time(pid: int) -> float:
    """Return the seconds of CPU of a process and its children, so far; 0 if unknown."""
    ticks = 0
    for each in family(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """Return the MiB of the largest of a process's children, or of itself; 0 if unknown."""
    pids, sizes = family(pid), [0]
    for each in pids[1:] or pids:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()[1:]
            fields = dict(line.split(":") for line in lines)
            sizes.append(int(fields["Rss"].split()[0]))
    return round(max(sizes) / 1024, 1)


def others() -> float:
    """Return how many cores other programs use, seen for 3 seconds; 0 if unknown."""

    def idle() -> int:
        fields = Path("/proc/stat").read_text().split(maxsplit=6)[1:6]
        return int(fields[3]) + int(fields[4])

    try:
        before = idle()
        time.sleep(3)
        idle_s = (idle() - before) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0
    return round(max(0, (os.cpu_count() or 1) - idle_s / 3), 1)


def describe() -> dict[str, object]:
    """Return what a reader needs to know of this machine."""
    return {
        "machine": f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "pinned": PINNED,
        "others": others(),
    }
