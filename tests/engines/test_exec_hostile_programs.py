# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the container that turn against who executes them: the naive ways fall, ns_exec does not."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, Iterator

import pytest
from rig import exec as ns_exec
from rig.hostile import BUSYBOX, WITH_PYTHON, Cell, engines
from rig.opened import Opened
from rig.supervisor import Supervisor

# What the attack may change: a number of no consequence, put back after each test.
SETTING = Path("/proc/sys/kernel/printk_ratelimit_burst")
EVIL = f"""#!{BUSYBOX} sh
{BUSYBOX} mkdir -p /tmp/p
{BUSYBOX} mount -t proc proc /tmp/p && echo mounted
{BUSYBOX} mount -o remount,rw /proc/sys && echo remounted
for sys in /tmp/p/sys /proc/sys; do echo 1234 >$sys/kernel/printk_ratelimit_burst && echo wrote; done
{BUSYBOX} mknod /tmp/kmsg c 1 11
{BUSYBOX} dd if=/tmp/kmsg of=/dev/null bs=8192 count=1 && echo read
{BUSYBOX} chroot /proc/1/root {BUSYBOX} nsenter --mount=/proc/1/ns/mnt {BUSYBOX} true
{BUSYBOX} umount /tmp/p
echo attacked
"""
# Interpreters of which the kernel makes /proc/self/exe: of who executes, before it is somebody else.
SELF = "#!/proc/self/exe --version\n"
RUNS = 12
SWAP = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
first, second = sys.argv[1].encode(), sys.argv[2].encode()
READY()
turns = 0
while not os.path.exists("/tmp/enough"):
    for dummy in range(200):
        libc.renameat2(-100, first, -100, second, 2)
        turns += 1
print(turns)
"""


@pytest.fixture(scope="module", params=["docker", "podman"])
def cell(request: pytest.FixtureRequest, fleet: dict[str, Cell]) -> Cell:
    return fleet[request.param]


@pytest.fixture(scope="module")
def fleet(supervisor: Supervisor, archive: Path) -> Iterator[dict[str, Cell]]:
    with engines(supervisor, archive, "programs") as started:
        cells = {}
        for name, engine in started.items():
            token = f"{supervisor.token}-programs-{name}"
            cells[name] = Cell(engine, token, *WITH_PYTHON)
            # What a naive way has once let in stays there: /proc/sys can be written to from then on.
            cells[f"{name}-fallen"] = Cell(engine, f"{token}-fallen", *WITH_PYTHON)
            cells[f"{name}-plain"] = Cell(engine, f"{token}-plain", "--env", "LD_PRELOAD=/evil.so", "--env",
                                          "PYTHONPATH=/evil", "--env", "LC_ALL=xx_XX.UTF-8", "--env", "LOCPATH=/evil")
        yield cells


@pytest.fixture(autouse=True)
def the_machine_stays_as_it_is() -> Iterator[None]:
    before = SETTING.read_text()
    try:
        yield
    finally:
        SETTING.write_text(before)


def host_is_changed() -> bool:
    return SETTING.read_text().strip() == "1234"


def ended(result: dict[str, Any]) -> str:
    """The error that the kernel gave, or what the program said."""
    if result["rc"] is None:
        assert result["failed"] and "EACCES" in result["msg"], result["msg"]
        return "EACCES"
    return str(result["stdout"])


# --- an evil /bin/ls ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [
    {}, {"privileges": "target"}, {"namespaces": ["mnt"]}, {"namespaces": ["mnt", "net"]}, {"read_only": True},
    {"user": "root"}, {"user": "alice"},
], ids=str)
def test_an_evil_ls_gets_at_nothing_of_the_host(cell: Cell, options: dict[str, Any]) -> None:
    cell.put("/bin/ls", EVIL)
    result = cell.ns_exec("/bin/ls", "-l", **options)
    assert result["stdout"] == "attacked", result
    assert not host_is_changed()


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_an_evil_ls_gets_at_the_host_by_nsenter(fleet: dict[str, Cell], engine: str) -> None:
    cell = fleet[f"{engine}-fallen"]
    cell.put("/bin/ls", EVIL)
    said = cell.nsenter("/bin/ls", "-l").stdout.split()
    assert host_is_changed()
    assert {"mounted", "wrote", "read"} <= set(said)


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_an_evil_ls_gets_at_the_host_where_that_was_written_out(fleet: dict[str, Cell], engine: str) -> None:
    cell = fleet[f"{engine}-fallen"]
    cell.put("/bin/ls", EVIL)
    result: dict[str, Any] = cell.ns_exec("/bin/ls", privileges="host")
    assert host_is_changed()
    assert any("the rights of this module" in str(line) for line in result["warnings"]), result


def test_an_evil_ls_gets_at_nothing_by_ansible(fleet: dict[str, Cell]) -> None:
    cell = fleet["docker"]
    cell.put("/bin/ls", EVIL)
    result = ns_exec.run_with_ansible(container=cell.id, cmd="/bin/ls -l")
    assert result["stdout"] == "attacked"
    assert not host_is_changed()


# --- the interpreter of who executes --------------------------------------------------------------------------------


def elf_with_interpreter(path: bytes) -> bytes:
    """A program for this machine whose loader is C(path), and which does nothing by itself."""
    machine = {"x86_64": 62, "aarch64": 183}[os.uname().machine]
    text = path + b"\0"
    at = 64 + 2 * 56
    head = struct.pack("=16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, machine, 1, 0x10000000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    size = at + len(text)
    segments = struct.pack("=IIQQQQQQ", 3, 4, at, 0x10000000 + at, 0x10000000 + at, len(text), len(text), 1)
    segments += struct.pack("=IIQQQQQQ", 1, 5, 0, 0x10000000, 0x10000000, size, size, 0x1000)
    return head + segments + text


def lay(cell: Cell, way: str) -> str:
    """Lay the trap; returns what to execute."""
    cell.put("/evil/self", SELF)
    cell.put("/evil/step", "#!/evil/self\n")
    cell.put("/evil/far", "#!/evil/step\n")
    cell.put("/evil/by-link", "#!/evil/link --version\n")
    cell.link("/evil/link", "/proc/self/exe")
    cell.put("/evil/thread", "#!/proc/thread-self/exe --version\n")
    cell.put("/evil/loader", elf_with_interpreter(b"/proc/self/exe"))
    return f"/evil/{way}"


@pytest.mark.parametrize("way", ["self", "step", "far", "by-link", "thread", "loader"])
def test_the_interpreter_is_not_who_executes(cell: Cell, way: str) -> None:
    result = cell.ns_exec(lay(cell, way))
    assert ended(result) == "EACCES"
    assert not result["stdout"]


@pytest.mark.parametrize("way", ["self", "step", "far", "by-link", "thread"])
def test_the_interpreter_is_nsenter_for_nsenter(cell: Cell, way: str) -> None:
    assert "util-linux" in cell.nsenter(lay(cell, way)).stdout


@pytest.mark.parametrize("way", ["self", "step", "far", "by-link", "thread"])
def test_the_interpreter_is_python_for_python(cell: Cell, way: str) -> None:
    assert cell.naive(lay(cell, way)).stdout.startswith("Python 3.")


def test_the_loader_is_nsenter_for_nsenter(cell: Cell) -> None:
    # It is not made to be one, and crashes; but it was mapped and begun, which EACCES forbids.
    done = cell.nsenter(lay(cell, "loader"))
    assert "denied" not in done.stderr
    assert done.status == -11 or done.status == 139 or "util-linux" in done.stdout + done.stderr, done


@pytest.mark.parametrize("path", ["/evil/link", "/proc/self/exe", "/proc/thread-self/exe", "/evil/twice"])
def test_the_program_is_not_who_executes(cell: Cell, path: str) -> None:
    lay(cell, "link")
    cell.link("/evil/twice", "link")
    result = cell.ns_exec(path, "--version")
    assert result["failed"] and result["rc"] is None and not result["stdout"], result


@pytest.mark.parametrize("path", ["/evil/link", "/proc/self/exe", "/proc/thread-self/exe"])
def test_the_program_is_nsenter_for_nsenter(cell: Cell, path: str) -> None:
    lay(cell, "link")
    assert "util-linux" in cell.nsenter(path, "--version").stdout


# --- swapped in during the call -------------------------------------------------------------------------------------


def swapped(cell: Cell, what: str) -> tuple[str, str]:
    """A good and an evil file, which an attacker will exchange."""
    cell.put("/evil/good", f"#!{BUSYBOX} echo\n")
    lay(cell, "link")
    if what == "script":
        cell.put("/evil/a", f"#!{BUSYBOX} echo\n")
        cell.put("/evil/b", SELF)
    elif what == "interpreter":
        cell.put("/evil/run", "#!/evil/a\n")
        cell.put("/evil/a", f"#!{BUSYBOX} echo\n")
        cell.put("/evil/b", SELF)
        return "/evil/run", "run"
    elif what == "link":
        cell.link("/evil/a", "good")
        cell.link("/evil/b", "/proc/self/exe")
    else:
        for folder in ("a", "b"):
            cell.path(f"/evil/{folder}").mkdir(exist_ok=True)
        cell.put("/evil/a/tool", f"#!{BUSYBOX} echo\n")
        cell.link("/evil/b/tool", "/proc/self/exe")
        return "/evil/a/tool", "tool"
    return "/evil/a", "a"


@pytest.mark.parametrize("what", ["script", "interpreter", "link", "folder"])
def test_what_is_swapped_in_during_the_call_is_not_who_executes(cell: Cell, what: str) -> None:
    for name in ("a", "b"):
        cell.remove(f"/evil/{name}")
    program, word = swapped(cell, what)
    outcomes = {"good": 0, "refused": 0}
    with cell.attacking(SWAP, "/evil/a", "/evil/b"):
        for turn in range(4 * RUNS):
            if turn >= RUNS and all(outcomes.values()):
                break
            result: dict[str, Any] = cell.ns_exec(program, "--version", track=["none"])
            assert "Python" not in result["stdout"] and "util-linux" not in result["stdout"], result
            if result["rc"] is None:
                # ENOENT: who looks the program up has no number in there, so that /proc/self leads nowhere.
                assert any(name in result["msg"] for name in ("EACCES", "ELOOP", "ENOENT")), result["msg"]
                outcomes["refused"] += 1
            else:
                assert word in result["stdout"] or "good" in result["stdout"], result
                outcomes["good"] += 1
    assert int(cell.said()) > 1000
    assert outcomes["good"] and outcomes["refused"], outcomes


def test_what_is_swapped_in_during_the_call_is_nsenter_for_nsenter(cell: Cell) -> None:
    swapped(cell, "script")
    with cell.attacking(SWAP, "/evil/a", "/evil/b"):
        said = [cell.nsenter("/evil/a", "--version").stdout for dummy in range(2 * RUNS)]
    assert any("util-linux" in line for line in said)


# --- what loads files by itself -------------------------------------------------------------------------------------

LURES = (
    "/etc/ld.so.preload", "/etc/ld.so.cache", "/etc/nsswitch.conf", "/etc/localtime", "/etc/locale.alias",
    "/usr/share/locale/locale.alias", "/usr/share/locale/xx_XX/LC_MESSAGES/libc.mo", "/usr/lib/locale/locale-archive",
    "/usr/lib/locale/C.utf8/LC_CTYPE", "/evil.so", "/evil/sitecustomize.py", "/evil/traceback.py",
    "/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6",
    "/usr/lib/x86_64-linux-gnu/libnss_files.so.2",
    "/etc/python3.11/sitecustomize.py", "/usr/lib/ssl/openssl.cnf", "/etc/ssl/openssl.cnf", "/pyvenv.cfg",
    *(f"{folder}/{name}" for folder in [os.path.dirname(os.__file__)]
      for name in ("os.py", "traceback.py", "linecache.py", "pwd.py", "encodings/idna.py", "wave.py")),
)


def looked_up(cell: Cell) -> Opened:
    """Lay all lures, and watch who opens them, as the attacker could."""
    for lure in LURES:
        cell.put(lure, "x" * 100, 0o644)
    cell.put("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nmallory:x:0:0::/:/bin/sh\n", 0o644)
    cell.put("/etc/group", "root:x:0:\n", 0o644)
    return Opened([cell.path(lure) for lure in ("/etc/passwd", *LURES)])


@pytest.fixture(params=["docker-plain", "podman-plain"])
def plain(request: pytest.FixtureRequest, fleet: dict[str, Cell]) -> Cell:
    return fleet[request.param]


@pytest.mark.parametrize("options", [
    {}, {"user": "mallory"}, {"user": "nobody-of-that-name"}, {"argv": ["no-such-program"]}, {"chdir": "/no/such"},
    {"creates": "/*/*.so*"}, {"argv": ["/etc"]}, {"unless": f"{BUSYBOX} false"}, {"read_only": True},
    {"argv": ["/evil/loader"]},
], ids=str)
def test_host_code_loads_nothing_of_the_container(plain: Cell, options: dict[str, Any]) -> None:
    plain.put("/evil/loader", elf_with_interpreter(b"/nowhere"))
    with looked_up(plain) as opened:
        ns_exec.run(container=plain.id, timeout=20, **{"argv": [BUSYBOX, "true"], **options})
        names = opened.names()
    assert not [name for name in names if name != "passwd"], names
    assert names or "user" not in options


def test_naive_code_loads_what_it_finds(plain: Cell) -> None:
    with looked_up(plain) as opened:
        plain.naive_lookup("mallory")
        names = opened.names()
    assert {"nsswitch.conf", "wave.py"} <= set(names), names


def test_the_environment_of_the_container_has_no_say_in_the_hosts_programs(plain: Cell) -> None:
    options: dict[str, Any] = {"container": plain.id, "namespaces": ["net"], "argv": ["/bin/sh", "-c", "echo $LOCPATH"]}
    refused = ns_exec.run(environment_from="target", **options)
    assert refused["failed"] and "environment_from: target" in refused["msg"]
    assert ns_exec.run(**options)["stdout"] == ""
    # Who writes it out gets what the attack would be.
    assert ns_exec.run(environment_from="target", trusted=True, **options)["stdout"] == "/evil"


def test_the_environment_of_the_container_is_that_of_its_own_programs(plain: Cell) -> None:
    result = ns_exec.run(container=plain.id, argv=[BUSYBOX, "sh", "-c", "echo $LOCPATH"])
    assert result["stdout"] == "/evil"
