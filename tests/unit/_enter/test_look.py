# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at a recorded host finds what ns_facts finds there, from fewer sources."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from recorded.engines import crio, docker, podman
from recorded.host import HOST, Host

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import containers
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.containers import Looking, glance, look
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


def test_a_child_that_looks_tells_all_that_it_has_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path)
    docker(host, "web", 500, Labels={"tier": "front", "io.kubernetes.pod.name": "a\u202epod"})
    podman(host, "db", 520)
    (host.root / "proc" / "520" / "stat").write_bytes(b"cut off")
    proc, root = str(host.root / "proc"), str(host.root)
    expected = look(time.monotonic() + 20, proc, root)
    monkeypatch.setattr(containers, "look", lambda until: look(until, proc, root))
    looking = Looking(time.monotonic() + 20)
    found = looking.found()
    looking.close()
    assert (found.containers, found.own, found.host) == (expected.containers, expected.own, expected.host)
    assert found.problems.as_list() == expected.problems.as_list() != []
    assert any(one.pod is not None for one in found.containers)


def test_what_the_kernel_refuses_a_child_that_looks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "look", lambda until: look(until, str(tmp_path)))
    looking = Looking(time.monotonic() + 20)
    with pytest.raises(FileNotFoundError):
        looking.found()
    looking.close()


def test_a_child_that_dies_while_it_looks_is_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "look", lambda until: os.kill(os.getpid(), signal.SIGKILL))
    looking = Looking(time.monotonic() + 20)
    with pytest.raises(TimeoutError):
        looking.found()
    looking.close()
