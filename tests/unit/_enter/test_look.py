# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at a recorded host finds what ns_facts finds there, from fewer sources."""

from __future__ import annotations

import time
from pathlib import Path

from recorded.engines import crio, docker, podman
from recorded.host import HOST, Host

from ansible_collections.nsfleet.linux.plugins.module_utils._enter.containers import glance, look
from ansible_collections.nsfleet.linux.plugins.module_utils._facts import Request, gather
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import TYPES


def test_the_containers_are_those_of_ns_facts(tmp_path: Path) -> None:
    host = Host(tmp_path)
    docker(host, "web", 500, Labels={"tier": "front"})
    podman(host, "db", 520)
    crio(host, "sandbox", 540)
    proc = str(host.root / "proc")
    found = look(time.monotonic() + 20, proc, str(host.root))
    facts = gather(Request(labels=True), proc, str(host.root))
    assert sorted(one.name for one in found.containers) == sorted(one["name"] for one in facts["containers"])
    for one, other in zip(found.containers, facts["containers"]):
        # Who shares what is of no use here, and what confines a container is read of the one that is entered.
        unread = {"shared_with": {}, "capabilities": {}, "seccomp": None, "no_new_privs": None, "lsm": None}
        assert one.as_dict(True) == {**other, **unread, "user": one.user}
        assert one.user in (None, other["user"])
    assert len(found.containers) == 3


def test_the_host_is_process_1(tmp_path: Path) -> None:
    host = Host(tmp_path)
    proc = str(host.root / "proc")
    names = {kind: "%s:[%d]" % (kind, HOST[kind]) for kind in TYPES}
    assert glance(proc).host == look(time.monotonic() + 20, proc, str(host.root)).host == names
