# Copyright (c) 2026, the nsprocesses.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps no state anywhere: systemd-nspawn without machined, bubblewrap, unshare, `ip netns`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from rig import kernel, sweep
from rig.facts import Facts, collect
from rig.programs import environment, program
from rig.supervisor import Supervisor
from rig.waiting import until

SLEEPS = {
    "nspawn": "/bin/sleep 621",
    "bwrap": "/bin/sleep 622",
    "unshare": "sleep 623",
    "rooted": "/bin/sleep 624",
    "netns": "sleep 625",
    "private-tmp": "sleep 626",
}


class Processes:
    """All of them, running; ``pids`` are the processes that sleep, ``outer`` those that started them."""

    def __init__(self, supervisor: Supervisor, rootfs: Path) -> None:
        self._supervisor = supervisor
        self.machine = supervisor.token
        self.outer = {kind: self._start(kind, *arguments) for kind, arguments in self._commands(rootfs).items()}
        self.pids = {kind: kernel.running(SLEEPS[kind], below=pid) for kind, pid in self.outer.items()}

    def stop(self) -> None:
        """End what sleeps; what started it ends by itself."""
        for kind, pid in self.pids.items():
            os.kill(pid, signal.SIGKILL)
            until(partial(self._ended, kind), f"{kind} does not end")

    def _commands(self, rootfs: Path) -> dict[str, list[str]]:
        sleeps = {kind: command.split(" ") for kind, command in SLEEPS.items()}
        unshare, ip, bwrap = program("unshare", "util-linux"), program("ip", "iproute2"), program("bwrap", "bubblewrap")
        self._supervisor.at_the_end(ip, "netns", "delete", self.machine)
        self._supervisor.run(ip, "netns", "add", self.machine)
        # nspawn makes cgroups in the one it is in, which is systemd's to give: it gets one that is ours.
        inside = [f"echo $$ > {cgroup}/cgroup.procs" for cgroup in self._cgroup()]
        nspawn = [
            program("systemd-nspawn", "systemd-container"),
            "--quiet",
            "--register=no",
            "--keep-unit",
            "--private-network",
            "--directory",
            str(rootfs),
            "--machine",
            self.machine,
            *sleeps["nspawn"],
        ]
        return {
            "nspawn": ["/bin/sh", "-c", "; ".join([*inside, 'exec "$@"']), "sh", *nspawn],
            "bwrap": [bwrap, "--die-with-parent", "--unshare-all", "--ro-bind", str(rootfs), "/", *sleeps["bwrap"]],
            "unshare": [unshare, "--pid", "--fork", "--kill-child", *sleeps["unshare"]],
            # Network, mounts and root of its own, and the host's pid namespace.
            "rooted": [bwrap, "--die-with-parent", "--unshare-net", "--ro-bind", str(rootfs), "/", *sleeps["rooted"]],
            "netns": [ip, "netns", "exec", self.machine, *sleeps["netns"]],
            # What PrivateTmp of a service is: mounts of its own over the host's root.
            "private-tmp": [
                unshare,
                "--mount",
                "/bin/sh",
                "-c",
                'mount -t tmpfs none /tmp && exec "$@"',
                "sh",
                *sleeps["private-tmp"],
            ],
        }

    def _ended(self, kind: str) -> bool:
        return not self._supervisor.running(self.outer[kind])

    def _cgroup(self) -> Iterator[Path]:
        mounted = sweep.hierarchies()
        for hierarchy in mounted.keys() & {"", "name=systemd"}:
            cgroup = mounted[hierarchy] / self.machine
            cgroup.mkdir(exist_ok=True)
            yield cgroup

    def _start(self, kind: str, *arguments: str) -> int:
        log = self._supervisor.root / f"{kind}.log"
        return self._supervisor.start(*arguments, log=log, env=environment())


@pytest.fixture(scope="module")
def processes(supervisor: Supervisor, rootfs: Path) -> Iterator[Processes]:
    started = Processes(supervisor, rootfs)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def facts(processes: Processes) -> Facts:
    return collect()


def test_nspawn_is_found_by_its_command_line(processes: Processes, facts: Facts) -> None:
    pid = processes.pids["nspawn"]
    fact = facts.at(pid)
    assert (fact["engine"], fact["name"], fact["start_time"]) == ("nspawn", processes.machine, kernel.start_time(pid))


def test_bubblewrap_is_unknown_and_led_by_the_init_of_its_pid_namespace(processes: Processes, facts: Facts) -> None:
    init = kernel.parent(processes.pids["bwrap"])
    fact = facts.at(init)
    assert (fact["engine"], fact["name"]) == ("unknown", "bwrap")


def test_a_pid_namespace_of_unshare_is_unknown(processes: Processes, facts: Facts) -> None:
    fact = facts.at(processes.pids["unshare"])
    assert (fact["engine"], fact["name"]) == ("unknown", "sleep")


def test_own_network_and_mounts_with_another_root_are_unknown(processes: Processes, facts: Facts) -> None:
    assert facts.at(processes.pids["rooted"])["engine"] == "unknown"


@pytest.mark.parametrize("kind", ["nspawn", "bwrap", "unshare", "rooted"])
def test_the_namespaces_are_the_kernel_s(processes: Processes, facts: Facts, kind: str) -> None:
    pid = kernel.parent(processes.pids["bwrap"]) if kind == "bwrap" else processes.pids[kind]
    fact = facts.at(pid)
    assert fact["namespaces"] == kernel.namespaces(pid)
    assert set(fact["shared_with_host"]) == kernel.shared_with_host(pid)


@pytest.mark.parametrize("kind", ["netns", "private-tmp"])
def test_the_host_s_root_with_other_mounts_or_network_is_no_container(
    processes: Processes, facts: Facts, kind: str
) -> None:
    own = {type_ for type_ in ("net", "mnt") if type_ not in kernel.shared_with_host(processes.pids[kind])}
    assert own == ({"net", "mnt"} if kind == "netns" else {"mnt"})
    assert processes.pids[kind] not in facts.pids()


def test_what_started_them_is_no_container(processes: Processes, facts: Facts) -> None:
    starters = {processes.outer[kind] for kind in ("nspawn", "bwrap", "unshare")}
    assert not starters & set(facts.pids())


def test_the_name_of_ip_netns_is_among_the_pins(processes: Processes, facts: Facts) -> None:
    pins = facts.namespace(kernel.namespaces(processes.pids["netns"])["net"])["pins"]
    assert any(f"/run/netns/{processes.machine}" in str(pin) for pin in pins if pin["kind"] == "mount")
