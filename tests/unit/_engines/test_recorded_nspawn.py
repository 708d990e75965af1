# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd-nspawn and machined, as they lay out processes and files."""

from __future__ import annotations

import pytest
from recorded.host import Host, legacy, unified

OWN = ("mnt", "uts", "ipc", "pid", "net", "cgroup")
MACHINE = """# This is private data. Do not parse.
NAME=%(name)s
ID=0123456789abcdef0123456789abcdef
SERVICE=systemd-nspawn
ROOT=/var/lib/machines/%(name)s
SCOPE=machine-%(name)s.scope
CLASS=%(kind)s
LEADER=%(pid)d
REALTIME=1795304070000000
"""


def machine(host: Host, name: str, pid: int, cgroup: str, kind: str = "container") -> None:
    """A registered machine; systemd-nspawn is pid - 1."""
    host.process(pid - 1, 1, "systemd-nspawn", unified(f"/machine.slice/machine-{name}.scope/supervisor"),
                 arguments=["systemd-nspawn", "-M", name])
    host.file(f"/run/systemd/machines/{name}", MACHINE % {"name": name, "kind": kind, "pid": pid})
    host.process(pid, pid - 1, "systemd", cgroup, host.namespaces(*OWN))


@pytest.mark.parametrize(
    "cgroup",
    [
        unified("/machine.slice/machine-web.scope/payload/init.scope"),
        legacy("/machine.slice/machine-web.scope"),
        unified("/machine.slice/systemd-nspawn@web.service/payload"),
    ],
)
def test_machined_tells_the_leader(host: Host, cgroup: str) -> None:
    machine(host, "web", 700, cgroup)
    host.process(650, 1, "older", cgroup, host.namespaces(*OWN))
    found = host.container()
    assert (found.engine, found.id, found.name, found.pid) == ("nspawn", "web", "web", 700)
    assert host.problems.complete


def test_systemd_nspawn_in_the_machine_s_scope_is_no_member(host: Host) -> None:
    machine(host, "web", 700, legacy("/machine.slice/machine-web.scope"))
    (host.root / "proc/699/cgroup").write_text(legacy("/machine.slice/machine-web.scope"))
    assert host.container().members == [700]


def test_a_virtual_machine_is_none(host: Host) -> None:
    host.file("/run/systemd/machines/qemu-1-vm", MACHINE % {"name": "qemu-1-vm", "kind": "vm", "pid": 700})
    host.process(700, 1, "qemu-system-x86", unified("/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator"),
                 host.namespaces("mnt"))
    assert host.containers() == []


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--keep-unit", "--machine", "web", "-D", "/srv/tree", "/bin/sleep", "1"], "web"),
        (["-q", "--machine=web", "/bin/sleep"], "web"),
        (["-D", "/srv/tree/"], "tree"),
        (["--image=/srv/disk.raw"], "disk"),
    ],
)
def test_unregistered_the_command_line_tells_the_name(host: Host, arguments: list[str], name: str) -> None:
    host.process(699, 1, "systemd-nspawn", arguments=["systemd-nspawn", *arguments])
    host.process(700, 699, cgroup=unified("/payload"), own=host.namespaces(*OWN))
    found = host.container()
    assert (found.engine, found.name, found.pid, host.told()) == ("nspawn", name, 700, set())


def test_a_recorded_leader_that_is_somebody_else_is_stale(host: Host) -> None:
    machine(host, "web", 700, unified("/machine.slice/machine-web.scope/payload"))
    host.file("/run/systemd/machines/web", MACHINE % {"name": "web", "kind": "container", "pid": 1})
    assert (host.container().pid, host.told()) == (700, {("state of nspawn web", "stale")})
