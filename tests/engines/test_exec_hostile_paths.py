# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the container that lead to the host, wait, or have no end: what is looked up there stays there."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from rig import exec as ns_exec
from rig.hostile import BUSYBOX, Cell, engines
from rig.supervisor import Supervisor

SECRET = "SECRET-OF-THE-HOST"
# Seconds that a trap may cost; each of them would cost for ever.
PATIENCE = 15.0
PASSWD = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n"
GROUP = "root:x:0:\nalice:x:1000:\n"


@pytest.fixture(scope="module")
def cells(supervisor: Supervisor, archive: Path) -> Iterator[dict[str, Cell]]:
    with engines(supervisor, archive, "paths") as started:
        cells = {name: Cell(engine, f"{supervisor.token}-paths-{name}") for name, engine in started.items()}
        # Whoever looks around in its files is in its /proc too.
        cells["docker-host-pid"] = Cell(started["docker"], f"{supervisor.token}-paths-host-pid", "--pid", "host")
        yield cells


@pytest.fixture(scope="module")
def host_file(supervisor: Supervisor) -> Path:
    """Of the host, and of nobody else: as /etc/passwd it would know a user that the container has not."""
    made = supervisor.root / "secret"
    made.write_text(f"mallory:x:4711:4711:{SECRET}:/:/bin/sh\nnameserver 192.0.2.66 {SECRET}\n")
    return made


@pytest.fixture(params=["docker", "podman", "docker-host-pid"])
def cell(request: pytest.FixtureRequest, cells: dict[str, Cell]) -> Iterator[Cell]:
    found = cells[request.param]
    yield found
    for path, content in (("/etc/passwd", PASSWD), ("/etc/group", GROUP)):
        found.put(path, content, 0o644)
    for path in ("/trap", "/etc/resolv.conf", "/etc/hosts"):
        try:
            found.remove(path)
        except OSError:  # the engine's own mount
            continue


def run(cell: Cell, **options: Any) -> dict[str, Any]:
    """ns_exec, in bounded time, and without anything of the host in its result."""
    before = time.monotonic()
    result = ns_exec.run(container=cell.id, timeout=10, track=["none"], **options)
    assert time.monotonic() - before < PATIENCE
    assert SECRET not in str(result)
    return result


def roads(host_file: Path) -> list[str]:
    """Links by which a process that came from the host may find itself there again."""
    tails = ("", str(host_file), f"/../../..{host_file}")
    found = [f"/proc/self/fd/{number}{tail}" for number in range(3, 9) for tail in tails]
    found += [f"{place}{host_file}" for place in (
        "/proc/self/root", "/proc/self/cwd", "/proc/thread-self/root", "/proc/1/root", "/proc/1/cwd", "../../../../..",
        f"/proc/{os.getpid()}/root", "",
    )]
    return found


# --- links ----------------------------------------------------------------------------------------------------------


def test_no_link_in_place_of_passwd_leads_to_the_host(cell: Cell, host_file: Path) -> None:
    for road in roads(host_file):
        cell.link("/etc/passwd", road)
        result = run(cell, user="mallory", argv=[BUSYBOX, "true"])
        assert result["failed"] and result["rc"] is None, (road, result)


def test_no_link_in_place_of_group_leads_to_the_host(cell: Cell, host_file: Path) -> None:
    for road in roads(host_file)[-10:]:
        cell.link("/etc/group", road)
        result = run(cell, user="root", group="mallory", argv=[BUSYBOX, "true"])
        assert result["failed"] and result["rc"] is None, (road, result)


def test_no_link_leads_creates_to_the_host(cell: Cell, host_file: Path) -> None:
    for road in roads(host_file):
        cell.link("/trap", road)
        # Were it followed, what is behind it would be found: the file or a folder of the host.
        behind = "" if road.endswith(host_file.name) else str(host_file)
        result = run(cell, creates=f"/tra[p]{behind}/." if behind else "/trap/..", argv=[BUSYBOX, "echo", "ran"])
        assert result["stdout"] == "ran" or result["failed"], (road, result)


def test_no_link_leads_chdir_to_the_host(cell: Cell, host_file: Path) -> None:
    cell.put("/inside", "")
    for road in roads(host_file.parent):
        cell.link("/trap", road)
        result = run(cell, chdir="/trap", argv=[BUSYBOX, "sh", "-c", f"{BUSYBOX} ls; {BUSYBOX} ls ../../../../../.."])
        assert host_file.name not in result["stdout"].split(), (road, result)
    for folder in ("/proc/self/fd/5", "/proc/self/cwd", "/proc/self/root", "/proc/thread-self/root"):
        result = run(cell, chdir=folder, argv=[BUSYBOX, "ls", "-a"])
        assert result["rc"] is None or "inside" in result["stdout"], (folder, result)


def test_a_link_as_cwd_that_is_swapped_during_the_call_leads_nowhere_else(cell: Cell, host_file: Path) -> None:
    for road in ("/proc/self/fd/4", "/proc/self/fd/5", "/proc/self/fd/6", "/proc/self/fd/7", "/proc/1/root"):
        cell.path("/folder").mkdir(exist_ok=True)
        cell.link("/trap", "/folder")
        cell.link("/other", road)
        swap = f"while :; do {BUSYBOX} mv -T /trap /keep; {BUSYBOX} mv -T /other /trap; {BUSYBOX} mv -T /trap /other; "
        swap += f"{BUSYBOX} mv -T /keep /trap; [ -e /enough ] && exit; done"
        cell.remove("/enough")
        cell.order(swap)
        try:
            for dummy in range(4):
                result = run(cell, chdir="/trap", argv=[BUSYBOX, "ls", f"../../..{host_file}"])
                assert result["rc"] != 0, (road, result)
        finally:
            cell.put("/enough", "")
        time.sleep(0.2)
        for path in ("/trap", "/other", "/keep"):
            cell.remove(path)


def naive_reads(cell: Cell, path: str, seconds: float = 3.0) -> tuple[int, str]:
    """What a process of the host that opened / before it joined reads in there."""
    script = (
        "import ctypes, os, sys\n"
        "held = os.open('/', os.O_RDONLY)\n"
        f"ns = os.open('/proc/{cell.pid}/ns/mnt', os.O_RDONLY); pid = os.open('/proc/{cell.pid}/ns/pid', os.O_RDONLY)\n"
        "libc = ctypes.CDLL(None); libc.setns(pid, 0); libc.setns(ns, 0)\n"
        "if os.fork(): sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))\n"
        f"print(open({path!r}).read(1000))\n"
    )
    return cell.naive_script(script, seconds)


def test_links_lead_the_naive_way_to_the_host(cell: Cell, host_file: Path) -> None:
    read = set()
    for number in range(3, 6):
        cell.link("/etc/passwd", f"/proc/self/fd/{number}{host_file}")
        read.add(SECRET in naive_reads(cell, "/etc/passwd")[1])
    assert True in read


# --- container_dns --------------------------------------------------------------------------------------------------


def unmounted(cell: Cell, name: str) -> None:
    """What the engine has mounted there is in the attacker's way, who has none of that in an image of his own."""
    cell.nsenter(BUSYBOX, "umount", name)


SHOW = ["/bin/sh", "-c", "cat /etc/resolv.conf /etc/hosts"]


def test_no_link_in_place_of_resolv_conf_leads_to_the_host(cell: Cell, host_file: Path) -> None:
    unmounted(cell, "/etc/resolv.conf")
    unmounted(cell, "/etc/hosts")
    cell.put("/etc/hosts", "192.0.2.7 inside\n", 0o644)
    cell.put("/etc/resolv.conf", "nameserver 192.0.2.8\n", 0o644)
    result = run(cell, namespaces=["net"], container_dns=True, argv=SHOW)
    assert "192.0.2.7 inside" in result["stdout"] and "192.0.2.8" in result["stdout"], result
    for road in roads(host_file):
        cell.link("/etc/resolv.conf", road)
        result = run(cell, namespaces=["net"], container_dns=True, argv=SHOW)
        assert result["failed"] and result["rc"] is None, (road, result)


# --- FIFOs, devices, files without end ------------------------------------------------------------------------------


def _fifo(cell: Cell, path: str) -> None:
    cell.remove(path)
    os.mkfifo(cell.path(path), 0o644)


def _zero(cell: Cell, path: str) -> None:
    cell.link(path, "/dev/zero")


def _node(cell: Cell, path: str) -> None:
    cell.remove(path)
    os.mknod(cell.path(path), 0o020666, os.makedev(1, 5))


def _sparse(cell: Cell, path: str) -> None:
    cell.put(path, "", 0o644)
    os.truncate(cell.path(path), 10 << 30)


def _folder(cell: Cell, path: str) -> None:
    cell.remove(path)
    cell.path(path).mkdir()


def _loop(cell: Cell, path: str) -> None:
    cell.link(path, path)


def _kernel(cell: Cell, path: str) -> None:
    cell.link(path, "/proc/kmsg")


TRAPS: list[Callable[[Cell, str], None]] = [_fifo, _zero, _node, _sparse, _folder, _loop, _kernel]


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/group"])
def test_a_trap_in_place_of_users_costs_no_time(cell: Cell, path: str, trap: Callable[[Cell, str], None]) -> None:
    trap(cell, path)
    try:
        result = run(cell, user="mallory:mallory", argv=[BUSYBOX, "true"])
        assert result["failed"] and result["rc"] is None, result
        # With numbers it needs neither.
        status = run(cell, user="4711:4711", argv=[BUSYBOX, "grep", "^Uid", "/proc/self/status"])["stdout"]
        assert status.split()[1:] == ["4711"] * 4
    finally:
        cell.remove(path)


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_in_place_of_resolv_conf_costs_no_time(cell: Cell, trap: Callable[[Cell, str], None]) -> None:
    unmounted(cell, "/etc/resolv.conf")
    trap(cell, "/etc/resolv.conf")
    try:
        result = run(cell, namespaces=["net"], container_dns=True, argv=SHOW)
        assert result["failed"] and result["rc"] is None, result
    finally:
        cell.remove("/etc/resolv.conf")


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_in_place_of_a_path_costs_no_time(cell: Cell, trap: Callable[[Cell, str], None]) -> None:
    trap(cell, "/trap")
    for options in ({"creates": "/trap/x"}, {"creates": "/trap*/*"}, {"removes": "/trap"}, {"chdir": "/trap"},
                    {"argv": ["/trap"]}):
        run(cell, **{"argv": [BUSYBOX, "true"], **options})


def test_a_fifo_takes_the_naive_way_for_ever(cell: Cell) -> None:
    _fifo(cell, "/etc/passwd")
    script = (
        f"import ctypes, os, pwd; ns = os.open('/proc/{cell.pid}/ns/mnt', os.O_RDONLY)\n"
        "ctypes.CDLL(None).setns(ns, 0)\n"
        "try:\n    pwd.getpwnam('mallory')\nexcept KeyError:\n    print('unknown')\n"
    )
    status, said = cell.naive_script(script, 2.0)
    assert status == -9 and "unknown" not in said


@pytest.mark.parametrize("trap", [_zero, _sparse])
def test_a_file_without_end_takes_the_naive_way_all_memory(cell: Cell, trap: Callable[[Cell, str], None]) -> None:
    trap(cell, "/etc/passwd")
    script = (
        f"import ctypes, os, resource; ns = os.open('/proc/{cell.pid}/ns/mnt', os.O_RDONLY)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29)); ctypes.CDLL(None).setns(ns, 0)\n"
        "try:\n    open('/etc/passwd', 'rb').read()\nexcept MemoryError:\n    print('no memory')\n"
    )
    assert cell.naive_script(script, 20.0) == (0, "no memory\n")
