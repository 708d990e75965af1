# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which namespaces are initial, where the initial ones themselves are out of sight, as in a container."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import Clock, Scan, mark_initial
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Problems


@pytest.fixture
def scan(tmp_path: Any) -> Scan:
    return Scan(Proc(str(tmp_path)), Problems(), Clock(1.0), live=False)


@pytest.mark.parametrize("ids, initial", [(True, False), (False, None)])
@pytest.mark.parametrize("kind", ["net", "mnt"])
def test_inodes_of_net_and_mnt_tell_it_where_namespaces_have_ids(
    kind: str, ids: bool, initial: bool | None, scan: Scan
) -> None:
    """Linux 6.18 brought the ids and the last two fixed inodes; on an older kernel any inode may be the initial one's."""
    scan.features["namespace_ids"] = ids
    space = scan.namespace(kind + ":[4026532000]")
    mark_initial(scan, {})
    assert space.initial is initial


@pytest.mark.parametrize("kind", ["uts", "ipc", "pid", "user", "cgroup", "time"])
def test_other_inodes_were_always_fixed(kind: str, scan: Scan) -> None:
    space = scan.namespace(kind + ":[4026532000]")
    mark_initial(scan, {})
    assert space.initial is False


def test_one_fixed_inode_of_both_is_enough(scan: Scan) -> None:
    initial, other = scan.namespace("net:[4026531833]"), scan.namespace("mnt:[4026532000]")
    mark_initial(scan, {})
    assert (initial.initial, other.initial) == (True, False)
