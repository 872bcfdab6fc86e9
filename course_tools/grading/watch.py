"""Looks at a kernel's processes from outside: what they use, and how to end them."""

import contextlib
import os
import re
import sys
from pathlib import Path

import psutil

from .limits import Limits

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def excess(root: int, own: set[int], folder: Path, limits: Limits) -> str:
    """Which limit the processes below `root`, those in `own` aside, have passed; "" when none."""
    found = [pid for pid in tree(root) if pid not in own]
    if len(found) > limits.processes and sum(map(_runs, found)) > limits.processes:
        return f"it started more than {limits.processes} processes"
    if sum(map(_resident, found)) > limits.memory and sum(map(_share, found)) > limits.memory:
        return f"it used more than {limits.memory / 1e9:g} GB of memory"
    if _size(folder) > 2 * limits.file:
        return f"it wrote more than {2 * limits.file / 1e6:g} MB into its folder"
    return ""


def tree(root: int) -> list[int]:
    """All processes below `root`."""
    if sys.platform != "linux" or not os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children"):
        with contextlib.suppress(psutil.Error):
            return [process.pid for process in psutil.Process(root).children(recursive=True)]
        return []
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
                    waiting += (children := [int(text) for text in file.read().split()])
                    found += children
        if len(found) > 5000:
            break
    return found


def threads() -> int:
    """Threads of this user now: the system's limit counts all of them."""
    count = 0
    for process in psutil.process_iter(["uids", "num_threads"]):
        if process.info["uids"] and process.info["uids"].real == os.getuid():
            count += process.info["num_threads"] or 1
    return count


def linux() -> tuple[int, ...]:
    """Version of the Linux kernel, as (6, 1); () elsewhere."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release) if sys.platform == "linux" else None
    return tuple(map(int, found.groups())) if found else ()


def kill_tree(root: int) -> None:
    """Ends a process and all below it."""
    for _ in range(20):
        processes = [root, *tree(root)]
        for pid in processes:
            with contextlib.suppress(OSError):
                os.kill(pid, 9)
        if len(processes) == 1:
            return


def _runs(pid: int) -> bool:
    """Whether it is more than the entry of a process that has ended."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def _resident(pid: int) -> float:
    """Bytes of memory in use, pages that are shared with others included."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        if sys.platform == "linux":
            return 0  # it has just ended
        with contextlib.suppress(psutil.Error):
            return psutil.Process(pid).memory_info().rss
        return 0


def _share(pid: int) -> float:
    """Bytes of memory in use, a page that n processes share counted as 1/n."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            lines = (line.split() for line in file)
            return 1024 * next(float(line[1]) for line in lines if line[0] == "Pss:")
    except (OSError, ValueError, StopIteration):
        return _resident(pid)


def _size(folder: Path) -> int:
    """Bytes of the files in a folder, as far as it can be looked into quickly."""
    total, waiting, seen = 0, [folder], 0
    while waiting and seen < 2000:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                seen += 1
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                    elif entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
                if seen >= 2000:
                    break
    return total
