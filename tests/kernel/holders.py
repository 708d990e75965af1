# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to keep a namespace alive. To be called in a child of the test (fixtures ``held`` and ``in_child``)."""

from __future__ import annotations

import array
import ctypes
import os
import signal
import socket
import tempfile
import threading
import traceback
from contextlib import suppress
from typing import Any, Callable

from ansible_collections.nsfleet.linux.plugins.module_utils._discover import inventory
from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import (
    SOURCES,
    Clock,
    Scan,
    mark_initial,
    own_names,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces, prctl
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Namespace, Problems


def look(sources: Any = SOURCES, timeout: float = 30.0, max_entries: int = 500) -> Scan:
    """One scan of this machine, as ns_facts does it."""
    scan = Scan(Proc(), Problems(), Clock(timeout), max_entries)
    own = own_names(scan.proc)
    inventory.take(scan, sources, own.get("mnt", ""), True, True)
    mark_initial(scan, own)
    return scan


def kinds(namespace: Namespace) -> list[str]:
    """The kinds of its pins."""
    return sorted(pin.kind for pin in namespace.pins)


def details(namespace: Namespace, kind: str) -> dict[str, Any]:
    """What its only pin of that kind says."""
    found = [pin.details for pin in namespace.pins if pin.kind == kind]
    assert len(found) == 1, "%d pins of kind %s: %s" % (len(found), kind, namespace.pins)
    return found[0]


def own(link: str = "net") -> str:
    """The name of the calling thread's namespace."""
    return os.readlink("/proc/thread-self/ns/" + link)


def name_of(fd: int) -> str:
    """The name of the namespace a descriptor refers to."""
    return os.readlink("/proc/thread-self/fd/%d" % fd)


def fork(function: Callable[[], Any], wait: bool = True) -> int:
    """The pid of a child that runs the function (by now, if ``wait``), stays, and ends with its parent."""
    parent = os.getpid()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            prctl.set_pdeathsig(signal.SIGKILL)
            if os.getppid() in (parent, 0):  # 0: in another pid namespace
                function()
                os.close(writing)
                while True:
                    signal.pause()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(writing)
    if wait:
        os.read(reading, 1)
    os.close(reading)
    return pid


def passing(function: Callable[[], Any], flags: int = namespaces.CLONE_NEWNET) -> Any:
    """What the function returns in new namespaces, a number or a descriptor's owner; the process is gone afterwards.

    A returned object with ``fileno`` arrives here as a descriptor of its own.
    """
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            prctl.set_pdeathsig(signal.SIGKILL)
            namespaces.unshare(flags)
            answer = function()
            fds = array.array("i", [answer.fileno()])
            theirs.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    theirs.close()
    with ours:
        data, ancillary = ours.recvmsg(1, socket.CMSG_SPACE(4))[:2]
    os.waitpid(pid, 0)
    assert data and ancillary, "the helper failed"
    return int.from_bytes(ancillary[0][2][:4], "little")


def new_namespace(kind: str = "net", prepare: Callable[[], None] = lambda: None) -> int:
    """A descriptor of a new namespace in which ``prepare`` ran, and nothing else that would hold it."""

    def opened() -> Any:
        prepare()
        return open("/proc/self/ns/" + kind, "rb", buffering=0)

    return passing(opened, namespaces.TYPES[kind])


def socket_of_new_network() -> int:
    """A socket whose network namespace nothing else holds."""
    return passing(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


def in_thread(function: Callable[[], Any]) -> Any:
    """What the function returns in a thread that lives on until the process ends."""
    answers: list[Any] = []
    done = threading.Event()

    def run() -> None:
        try:
            answers.append(function())
        finally:
            done.set()
            if answers:
                threading.Event().wait()

    threading.Thread(target=run, daemon=True).start()
    done.wait(10)
    return answers[0]


def exit_this_thread() -> None:
    """End this thread and no other, also where it is a process's first: then that is called a zombie."""
    ctypes.CDLL(None)["syscall"](ctypes.c_long({"x86_64": 60, "aarch64": 93}[os.uname().machine]), ctypes.c_long(0))


def private_mounts() -> str:
    """Make the caller's mounts private (it is in a mount namespace of its own); a folder on a new tmpfs in there."""
    mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
    # The folder under the mount is made by another mount namespace too, if it is not there: /tmp will do.
    mounts.mount("nsfleet-test", tempfile.gettempdir(), "tmpfs", 0, "size=64m,mode=755")
    return tempfile.gettempdir()


def bind(source: int | str, target: str) -> None:
    """Bind mount a descriptor's or path's file onto the new file ``target``."""
    with suppress(FileExistsError):
        os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o600))
    path = "/proc/self/fd/%d" % source if isinstance(source, int) else source
    mounts.mount(path, target, None, mounts.MS_BIND)


def persist_mount_namespace(target: str, prepare: Callable[[], None]) -> str:
    """The name of a new mount namespace, in which ``prepare`` ran, and which only a mount at ``target`` holds.

    A mount namespace can be mounted in older ones only, which its id tells. Since 6.18 each CPU has a batch of ids of
    its own, so that a new one may have the lower id (EINVAL): then another CPU has to make it.
    """
    allowed = os.sched_getaffinity(0)
    refusal: OSError | None = None
    for cpu in sorted(allowed):
        os.sched_setaffinity(0, {cpu})
        fd = new_namespace("mnt", prepare)
        try:
            bind(fd, target)
            return name_of(fd)
        except OSError as error:
            refusal = error
        finally:
            os.close(fd)
            os.sched_setaffinity(0, allowed)
    raise AssertionError("on no CPU") from refusal
