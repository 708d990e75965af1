# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LXC, LXD and Incus, as they lay out processes and files."""

from __future__ import annotations

import pytest
from recorded.host import Host, hybrid, legacy, unified

OWN = ("mnt", "uts", "ipc", "pid", "net", "cgroup")


def lxc(host: Host, name: str, pid: int, cgroup: str, *, folder: str = "/var/lib/lxc", comm: str = "lxc-start",
        config: str = "lxc.uts.name = web\n", arguments: list[str] | None = None) -> None:
    """A container; its monitor is pid - 1."""
    title = [f"[lxc monitor] {folder} {name}"] if arguments is None else arguments
    host.process(pid - 1, 1, comm, hybrid(f"/lxc.monitor.{name}"), arguments=title)
    host.file(f"{folder}/{name}/config", config)
    host.process(pid, pid - 1, "systemd", cgroup, host.namespaces(*OWN))


@pytest.mark.parametrize(
    "cgroup",
    [
        hybrid("/lxc.payload.web"),
        legacy("/lxc/web"),
        unified("/lxc.payload.web/init.scope"),
        unified("/lxc.payload/web/system.slice/cron.service"),
        unified("/lxc/web/ns/init.scope"),
        # lxc-execute without rights on cgroups, lxc.cgroup.dir
        unified("/user.slice/user-0.slice/session-1.scope"),
    ],
)
def test_every_version_of_cgroups(host: Host, cgroup: str) -> None:
    lxc(host, "web", 700, cgroup)
    found = host.container()
    assert (found.engine, found.id, found.name, found.pid, found.members) == ("lxc", "web", "web", 700, [700])
    assert (found.image, host.told()) == (None, set())


def test_two_of_one_name_have_the_name_their_monitors_know(host: Host) -> None:
    lxc(host, "web", 700, hybrid("/lxc.payload.web"))
    lxc(host, "web", 710, hybrid("/lxc.payload.web-1"), folder="/srv/lxc")
    assert [(entry.id, entry.name, entry.pid) for entry in host.containers()] == [
        ("web", "web", 700), ("web-1", "web", 710)]


def test_the_configuration_tells_the_user(host: Host) -> None:
    lxc(host, "web", 700, hybrid("/lxc.payload.web"), folder="/srv/lxc",
        config="# lxc.init.uid = 1\nlxc.init.uid = 33\nlxc.init.gid = 34\n")
    assert host.container().user == "33:34"


def test_in_the_foreground_the_command_line_tells(host: Host) -> None:
    lxc(host, "web", 700, unified("/"), comm="lxc-execute", folder="/srv/lxc",
        arguments=["lxc-execute", "-P", "/srv/lxc", "-n", "web", "--", "/bin/tool", "-n", "other"])
    assert host.container().name == "web"


def test_lxd_s_monitor_is_one_too(host: Host) -> None:
    lxc(host, "shop_web", 700, unified("/lxc.payload.shop_web"), comm="lxd", folder="/var/snap/lxd/common/lxd/containers")
    assert (host.container().name, host.told()) == ("shop_web", set())


def test_without_monitor_and_configuration_it_is_kept_and_said(host: Host) -> None:
    host.process(700, 1, cgroup=hybrid("/lxc.payload.web"), own=host.namespaces(*OWN))
    assert (host.container().name, host.told()) == ("web", {("state of lxc web", "not found")})


def test_an_engine_inside_belongs_to_it(host: Host) -> None:
    lxc(host, "web", 700, unified("/lxc.payload.web/init.scope"))
    inner = host.namespaces("mnt", "pid")
    host.process(800, 700, cgroup=unified(f"/lxc.payload.web/docker/{'a' * 64}"), own=inner)
    assert host.container().members == [700, 800]
