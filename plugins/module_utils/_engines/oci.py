# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection
"""What OCI runtimes leave on disk: a bundle's config.json, runc's state.json, crun's status."""
from __future__ import annotations

import re
from typing import Any, Dict, NamedTuple, Optional

from .lookup import Lookup, absolute, mapping, number

# The head of runc's state.json: 1 % of a file whose other 99 % (the configuration) would be parsed for nothing.
_RUNC_HEAD = re.compile(
    rb'\A\{"id":"[^"\\]{0,1024}","init_process_pid":(\d{1,10}),"init_process_start":(\d{1,19}),"created":'
)


class Init(NamedTuple):
    """The first process of a container as its runtime recorded it; C(start_time) in clock ticks since boot."""

    pid: int
    start_time: Optional[int] = None
    bundle: Optional[str] = None


def runtime_state(lookup: Lookup, folder: str) -> Optional[Init]:
    """The init by runc's C(folder)/state.json or crun's C(folder)/status; None where there is neither."""
    raw = lookup.raw(folder + "/state.json")
    if raw is None:
        status = lookup.json(folder + "/status")
        return _init(status.get("pid"), status.get("process-start-time"), status.get("bundle"))
    head = _RUNC_HEAD.match(raw)
    # runc keeps the bundle among the labels, libcontainer/utils.Annotations.
    bundle = re.search(rb'"bundle=([^"\\]{1,4096})"', raw)
    where = bundle[1].decode("utf-8", "replace") if bundle is not None else None
    if head is not None and raw.endswith(b"}"):
        return _init(int(head[1]), int(head[2]), where)
    state = mapping(lookup.parse(raw, folder))
    return _init(state.get("init_process_pid"), state.get("init_process_start"), where)


def process_user(config: Dict[str, Any]) -> Optional[str]:
    """C(UID:GID) inside the container from a bundle's config.json."""
    user = mapping(mapping(config.get("process")).get("user"))
    uid, gid = user.get("uid", 0), user.get("gid", 0)
    return "%d:%d" % (uid, gid) if user and isinstance(uid, int) and isinstance(gid, int) else None


def mount_source(config: Dict[str, Any], destination: str) -> str:
    """The host's path that a bundle's config.json mounts at C(destination), empty without one."""
    mounts = config.get("mounts")
    for mount in mounts if isinstance(mounts, list) else []:
        if mapping(mount).get("destination") == destination:
            return absolute(mount.get("source")) or ""
    return ""


def _init(pid: Any, start_time: Any, bundle: Any) -> Optional[Init]:
    found = number(pid)
    return None if found is None else Init(found, number(start_time), absolute(bundle))
