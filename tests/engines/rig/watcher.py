# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an attacker in a container runs to see who comes in: all that /proc and ptrace(2) give of a new process."""

from __future__ import annotations

import json
from typing import NamedTuple

from rig.hostile import Cell

# Arguments: a file that only the host has, then what must not be found. Prints what it found, a line of JSON for each.
WATCHER = r"""
import ctypes, json, os, sys, threading, time
marker, canaries = sys.argv[1], [text.encode() for text in sys.argv[2:]]
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
up = "/.." * 12
here = os.stat("/")

def attempt(action):
    try:
        return action()
    except (OSError, ValueError):
        return None

def content(path, most=1 << 20):
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)

def memory(pid):
    found = b""
    maps = content("/proc/%d/maps" % pid).decode(errors="replace").splitlines()
    descriptor = os.open("/proc/%d/mem" % pid, os.O_RDONLY)
    try:
        for line in maps:
            place, mode = line.split()[:2]
            first, last = (int(part, 16) for part in place.split("-"))
            if mode.startswith("rw"):
                try:
                    found += os.pread(descriptor, min(last - first, 8 << 20), first)
                except OSError:
                    continue
    finally:
        os.close(descriptor)
    return found

def look(pid):
    seen, folder = set(), "/proc/%d" % pid

    def tell(what, value):
        if value is None:
            return
        raw = value if isinstance(value, bytes) else str(value).encode()
        for canary in canaries:
            if canary in raw:
                seen.add(("canary", what + ": " + canary.decode()))
        if what != "mem":
            seen.add((what, raw[:4096].decode(errors="replace")))

    traced = libc.ptrace(SEIZE, pid, 0, 0) == 0
    if traced:
        libc.ptrace(INTERRUPT, pid, 0, 0)
        attempt(lambda: os.waitpid(pid, 0x40000000))
        seen.add(("traced", "1"))
    until = time.monotonic() + 0.15
    while time.monotonic() < until:
        tell("exe", attempt(lambda: os.readlink(folder + "/exe")))
        exe = attempt(lambda: os.stat(folder + "/exe"))
        if exe is not None:
            tell("exe-stat", "%d:%d" % (exe.st_dev, exe.st_ino))
        cmdline = attempt(lambda: content(folder + "/cmdline"))
        tell("cmdline", cmdline)
        for link in ("cwd", "root"):
            tell(link, attempt(lambda: os.readlink(folder + "/" + link)))
            for tail in (marker, up + marker):
                if attempt(lambda: os.stat(folder + "/" + link + tail)) is not None:
                    seen.add(("host", link))
        root = attempt(lambda: os.stat(folder + "/root/"))
        if root is not None and (root.st_dev, root.st_ino) != (here.st_dev, here.st_ino):
            seen.add(("host", "another root"))
        tell("environ", attempt(lambda: content(folder + "/environ")))
        for number in attempt(lambda: os.listdir(folder + "/fd")) or ():
            # That a number is in use is told to any root; what is behind it, only to who might trace.
            end = attempt(lambda: os.readlink(folder + "/fd/" + number))
            tell("fd", end and number + " " + end)
            for tail in (marker, up + marker):
                if attempt(lambda: os.stat(folder + "/fd/" + number + tail)) is not None:
                    seen.add(("host", "fd"))
        tell("mem", attempt(lambda: memory(pid)))
        if traced:
            libc.ptrace(DETACH, pid, 0, 0)
            traced = False
        if cmdline is None or not os.path.exists(folder):
            break
    for what, value in sorted(seen):
        os.write(1, (json.dumps([pid, what, value]) + "\n").encode())

known = {int(name) for name in os.listdir("/proc") if name.isdigit()}
# The next number to be given is the one after this.
last = os.fork()
if last == 0:
    os._exit(0)
os.waitpid(last, 0)
known.add(last)
READY()
turn = 0
threads = []
# With the machine's processes in view many are there at once, and numbers come from everywhere.
crowded = len(known) > 20
while turn % 100 or not os.path.exists("/tmp/enough"):
    turn += 1
    if crowded:
        new = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in known]
    elif turn % 100:
        # The next numbers: no list is as fast.
        new = [pid for pid in (last + 1, last + 2) if os.path.exists("/proc/%d/stat" % pid)]
    else:
        new = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in known]
    for pid in sorted(new):
        if pid not in known and pid != os.getpid():
            known.add(pid)
            last = max(last, pid)
            if crowded:
                threads.append(threading.Thread(target=look, args=(pid,)))
                threads[-1].start()
            else:
                look(pid)
for thread in threads:
    thread.join()
"""


class Seen(NamedTuple):
    """One thing that was seen of a process."""

    pid: int
    what: str
    value: str


def seen(cell: Cell) -> list[Seen]:
    """What the watcher in a container has seen."""
    return [Seen(*json.loads(line)) for line in cell.said().splitlines() if line.startswith("[")]
