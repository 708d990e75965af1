# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lsns(8) and ip-netns(8) say of the same moment.

The machine does not stand still, so lsns is run between two scans, and only what is the same in both is compared.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
from typing import Any, Callable, NamedTuple

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import Scan
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces
from ansible_collections.nsfleet.linux.tests.kernel.holders import fork, look, own, private_mounts

COLUMNS = ["NS", "TYPE", "NPROCS", "PID", "NETNSID", "PNS", "ONS"]


class Moment(NamedTuple):
    """Two scans and what lsns said between them: a row for each namespace, by our name for it."""

    before: Scan
    listed: dict[str, dict[str, Any]]
    after: Scan
    lsns: int  # its pid: it lists itself as well

    def steady(self) -> list[str]:
        """The namespaces that had the same processes in both scans, and so in between."""
        return [
            name for name in self.before.namespaces
            if name in self.after.namespaces and members(self.before, name) == members(self.after, name)
        ]


def members(scan: Scan, name: str) -> set[tuple[int, int]]:
    """Pid and start time of each process of a namespace."""
    return {(pid, scan.processes[pid].start_time) for pid in scan.members.get(name, ())}


@functools.lru_cache(maxsize=None)
def columns() -> list[str]:
    """Those that this version of lsns knows; NETNSID came with 2.31, PNS and ONS with 2.38."""
    told = subprocess.run(["lsns", "--help"], stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout.split()
    return [column for column in COLUMNS if column in told]


def take_moment() -> Moment:
    # lsns may print nothing when a process ends under its eyes (util-linux issue 2799).
    for dummy in range(10):
        before = look()
        with subprocess.Popen(["lsns", "-J", "-o", ",".join(columns())], stdout=subprocess.PIPE) as lsns:
            told = lsns.communicate()[0]
        after = look()
        if lsns.returncode == 0 and told:
            rows = json.loads(told)["namespaces"]
            return Moment(before, {"%s:[%s]" % (row["type"], row["ns"]): row for row in rows}, after, lsns.pid)
    pytest.fail("lsns failed ten times")


@pytest.fixture
def moment(held: Callable[..., Any]) -> Moment:
    """With a family of user and pid namespaces among what lsns is asked about, so that there are parents to compare."""

    def family() -> None:
        namespaces.unshare(namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWPID)
        fork(lambda: None)

    held(family, namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNET | namespaces.CLONE_NEWUTS | namespaces.CLONE_NEWNS)
    return take_moment()


def test_every_namespace_of_lsns_is_ours(moment: Moment) -> None:
    known = set(moment.before.namespaces) | set(moment.after.namespaces)
    # What was made after our first scan and had ended before our second, only lsns can have seen.
    for name in set(moment.listed) - known:
        pid = moment.listed[name]["pid"]
        assert pid not in moment.before.processes or pid not in moment.after.processes, name
    assert {own(kind) for kind in namespaces.TYPES} <= set(moment.listed) & known


def test_every_namespace_of_ours_with_processes_is_of_lsns(moment: Moment) -> None:
    steady = [name for name in moment.steady() if moment.before.namespaces[name].processes]
    assert len(steady) >= 8
    assert set(steady) <= set(moment.listed)


def test_the_number_of_processes_is_the_same(moment: Moment) -> None:
    itself = {own(kind) for kind in namespaces.TYPES}
    # A process that lived between our two scans only was seen by lsns: what differs must do so each time.
    differing: set[str] | None = None
    for dummy in range(5):
        compared = [name for name in moment.steady() if name in moment.listed]
        assert len(compared) >= 8
        now = {
            name for name in compared
            if moment.before.namespaces[name].processes != moment.listed[name]["nprocs"] - (name in itself)
        }
        differing = now if differing is None else differing & now
        if not differing:
            return
        moment = take_moment()
    pytest.fail("another number in each of five moments: %s" % differing)


def test_lsns_names_the_lowest_pid_where_we_name_the_oldest_process(moment: Moment) -> None:
    """They are the same until pids wrap around: then a young process may have the lowest pid, and lead nothing."""
    compared = [name for name in moment.steady() if moment.before.namespaces[name].processes]
    assert compared
    for name in compared:
        processes = [moment.before.processes[pid] for pid in moment.before.members[name]]
        assert moment.listed[name]["pid"] in (min(process.pid for process in processes), moment.lsns), name
        assert moment.before.namespaces[name].leader.pid == min(processes, key=lambda process: process.age).pid, name


def test_owners_and_parents_are_the_same(moment: Moment) -> None:
    if "ONS" not in columns():
        pytest.skip("lsns before 2.38 tells neither")
    owners = parents = 0
    for name in moment.steady():
        row, space = moment.listed.get(name), moment.before.namespaces[name]
        # lsns says 0 where there is none or none that we may see.
        if row is None or space.device is None:
            continue
        assert inode(space.owner) == int(row["ons"] or 0), name
        owners += space.owner is not None
        # It knows only the parents that it lists itself: one without a process it leaves out, or tells of all the same.
        if space.parent is not None:
            assert inode(space.parent) == int(row["pns"] or 0) or space.parent not in moment.listed, name
            parents += 1
    assert owners
    assert parents >= 2


def inode(name: str | None) -> int:
    return int(name.partition("[")[2][:-1]) if name else 0


def test_nsids_are_the_same_as_those_of_ip_netns(in_child: Callable[..., Any]) -> None:
    def named_networks() -> tuple[Scan, dict[str, str], Any, Any]:
        private_mounts()
        mounts.mount("nsfleet-test", "/run", "tmpfs")
        ip = functools.partial(subprocess.run, stdout=subprocess.PIPE, check=True)
        ip(["ip", "netns", "add", "numbered"])
        ip(["ip", "netns", "set", "numbered", "4711"])
        ip(["ip", "netns", "add", "plain"])
        listed = json.loads(ip(["ip", "-json", "netns", "list"]).stdout)
        ids = json.loads(ip(["ip", "-json", "netns", "list-id"]).stdout)
        inodes = {name: "net:[%d]" % os.stat("/run/netns/" + name).st_ino for name in ("numbered", "plain")}
        return look(), inodes, listed, ids

    # In a network namespace of its own, because nsids are its property.
    scan, names, listed, ids = in_child(named_networks, namespaces.CLONE_NEWNS | namespaces.CLONE_NEWNET)
    ours = {name: scan.namespaces[names[name]].nsid for name in names}
    assert ours == {"numbered": 4711, "plain": None}
    assert ours == {entry["name"]: entry.get("id") for entry in listed}
    assert [entry["nsid"] for entry in ids] == [4711]


def test_nsids_are_the_same_as_those_of_lsns(moment: Moment) -> None:
    if "NETNSID" not in columns():
        pytest.skip("lsns before 2.31 does not tell them")
    compared = [name for name in moment.steady() if name in moment.listed and name.startswith("net:")]
    assert compared
    for name in compared:
        ours = moment.before.namespaces[name].nsid
        assert str(moment.listed[name]["netnsid"]) == ("unassigned" if ours is None else str(ours)), name
