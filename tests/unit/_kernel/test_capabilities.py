# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of capabilities."""

from __future__ import annotations

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.capabilities import CAPABILITIES, capability_names


def test_numbers_are_those_of_the_kernel() -> None:
    # include/uapi/linux/capability.h
    for number, name in ((0, "CHOWN"), (12, "NET_ADMIN"), (13, "NET_RAW"), (19, "SYS_PTRACE"), (21, "SYS_ADMIN")):
        assert CAPABILITIES[number] == "CAP_" + name
    assert CAPABILITIES[34] == "CAP_SYSLOG"
    assert CAPABILITIES[40:] == ("CAP_CHECKPOINT_RESTORE",)


def test_docker_s_default_set() -> None:
    assert capability_names(0x00000000A80425FB) == [
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SETPCAP",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_RAW",
        "CAP_SYS_CHROOT",
        "CAP_MKNOD",
        "CAP_AUDIT_WRITE",
        "CAP_SETFCAP",
    ]


def test_no_capability_has_no_name() -> None:
    assert capability_names(0) == []


def test_one_that_is_newer_than_this_list_keeps_its_number() -> None:
    assert capability_names(1 << 41 | 1 << 63) == ["CAP_41", "CAP_63"]
