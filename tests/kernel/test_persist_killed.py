# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_persist killed at each system call that changes something: what is listed can be entered, and the next run ends
where the first one was to end.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._create import outside, pins
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.tests.kernel.persist_lab import (
    NETNS,
    UNITS,
    all_names,
    can_be_entered,
    consistent,
    gone,
    inits,
    ip,
    listed,
    no_file_is_young,
    persist,
    run_alone,
    traced,
    units,
    until,
)

# A process dies before the call is made, that is after all that came before it.
CALLS = [
    "mount", "umount2", "pivot_root", "symlink", "unlink", "rename", "renameat2", "mkdir", "rmdir", "unshare", "clone",
    "sendto", "sethostname", "pidfd_send_signal",
]
TYPES = ["user", "mnt", "uts", "pid", "net"]
# Cgroups are those of the machine, where the same test may run twice.
BOX = "box" + secrets.token_hex(3)


class Case(NamedTuple):
    """C(before) is made, and then the run with C(given) is killed."""

    before: Callable[[], Any]
    given: dict[str, Any]


def nothing() -> None:
    """Not even folders."""


def stale() -> None:
    persist(name="other")
    Path(f"{NETNS}/blue").touch()


def half() -> None:
    persist(name=BOX, namespaces=TYPES)
    for kind in ("uts", "mnt"):
        subprocess.run(["umount", "--lazy", f"{UNITS}/{BOX}/{kind}"], check=True)
    until(inits)
    os.kill(inits()[0], 9)
    until(lambda: not can_be_entered(f"{UNITS}/{BOX}/pid", "pid"))


CASES = {
    "a network": Case(nothing, {"name": "blue", "loopback": True, "nsid": 3}),
    "a network that is stale": Case(stale, {"name": "blue"}),
    "a network that is different": Case(
        lambda: persist(name="blue", nsid=3), {"name": "blue", "nsid": 4, "force": True}),
    "no network": Case(lambda: persist(name="blue"), {"name": "blue", "state": "absent"}),
    "no network of ip netns": Case(lambda: ip("netns", "add", "blue"), {"name": "blue", "state": "absent"}),
    "a unit": Case(nothing, {"name": BOX, "namespaces": TYPES, "hostname": "box"}),
    "a unit of which half is stale": Case(half, {"name": BOX, "namespaces": TYPES, "hostname": "box"}),
    "a unit that is different": Case(
        lambda: persist(name=BOX, namespaces=TYPES), {"name": BOX, "namespaces": TYPES[1:], "force": True}),
    "no unit": Case(lambda: persist(name=BOX, namespaces=TYPES), {"name": BOX, "state": "absent"}),
}


def places(case: Case) -> list[tuple[str, int]]:
    """Each call, and how many times one process makes it at most."""

    def run() -> str:
        case.before()
        result = traced(["-e", "trace=" + ",".join(CALLS), "-o", "/run/trace"], **case.given)
        assert result is not None and not result.get("failed"), result
        return Path("/run/trace").read_text()

    counts: Counter[tuple[str, str]] = Counter(re.findall(r"^(\d+) +(\w+)\(", run_alone(run), re.MULTILINE))
    most: dict[str, int] = {}
    for (dummy, call), count in counts.items():
        most[call] = max(count, most.get(call, 0))
    found = [(call, at) for call in CALLS for at in range(1, most.get(call, 0) + 1)]
    # Most of them are orders for a process that ends with the run; the last ones let process 1 go.
    return [(call, at) for call, at in found if call != "sendto" or at == 1 or at > most[call] - 5]


@pytest.mark.once
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_run_that_is_killed(case: Case) -> None:
    found = places(case)
    assert len(found) > 5
    for call, at in found:
        run_alone(lambda call=call, at=at: killed(case, call, at))


@pytest.mark.parametrize("how", ["told to end", "refused"])
@pytest.mark.parametrize("given", [{"name": "blue"}, {"name": "box", "namespaces": ["uts", "ipc"]}])
@pytest.mark.parametrize("before", [None, "stale"])
def test_a_run_that_ends_between_a_link_and_its_mount(
    how: str, given: dict[str, Any], before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish(path: str, descriptor: int) -> None:
        if how == "refused":
            raise OSError(errno.ENOSPC, "mount")  # fs.mount-max
        os.kill(os.getpid(), signal.SIGTERM)

    def test() -> None:
        no_file_is_young()
        path = f"{NETNS}/blue"
        if given["name"] == "box":
            # A part of a unit that stays.
            persist(name="box", namespaces=["uts"])
            path = f"{UNITS}/box/ipc"
        elif before:
            os.mkdir(NETNS)
        if before:
            Path(path).touch()
        with monkeypatch.context() as patch:
            patch.setattr(pins, "finish", finish)
            result = persist(**given)
            assert result["failed"] and result["changed"]
            if how == "refused":
                persist(name="green", namespaces=["uts"])  # finishes what there is, and cannot
            consistent(True)
            assert os.path.islink(path)
        result = persist(**given)
        assert not result.get("failed"), result
        assert not os.path.islink(path)
        consistent()
        assert not persist(**given)["changed"]

    run_alone(test)


def killed(case: Case, call: str, at: int) -> None:
    no_file_is_young()
    case.before()
    stale = [path for path, kind in all_names().items() if not can_be_entered(path, kind)]
    cgroups = folders()
    where = f"killed at {call} {at}"
    traced(["-qq", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={at}", "-o", "/dev/null"],
           **case.given)
    try:
        until(no_run_is_left)
        consistent(True, stale)
        result = persist(**case.given)
        assert not result.get("failed"), result
        consistent()
        again = persist(**{**case.given, "force": False})
        assert not again.get("failed") and not again["changed"], again
        if case.given.get("state") != "absent":
            assert again["namespaces"] == result["namespaces"]
            until(lambda: len(inits()) == ("pid" in result["namespaces"]))
        name = case.given["name"]
        last = persist(name=name, state="absent")
        assert not last.get("failed"), last
        consistent()
        gone(name)
        assert name not in listed() + units()
        until(lambda: not inits())
        until(lambda: folders() <= cgroups)
    except BaseException as error:
        raise AssertionError(where) from error


def no_run_is_left() -> bool:
    """Who was started by the killed one ends by itself."""
    return not [pid for pid in Proc().pids() if pid not in (1, os.getpid()) and is_of_a_run(pid)]


def is_of_a_run(pid: int) -> bool:
    try:
        found = Proc().stat(pid)
    except OSError:
        return False
    return found.state not in "ZX" and found.comm != "nsfleet-init"


def folders() -> set[str]:
    """The cgroups of units, of all runs on this machine."""
    found = set()
    for place, dummy in outside._places():
        if os.path.isdir(place):
            found |= {f"{place}/{name}" for name in os.listdir(place) if name.startswith(BOX + "-")}
    return found
