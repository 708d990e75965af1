# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_facts reads namespaces without ctypes: importing it costs more than a small host's whole inventory."""

from __future__ import annotations

import subprocess
import sys

import pytest

PACKAGE = "ansible_collections.nsfleet.linux.plugins.module_utils._kernel."


@pytest.mark.parametrize(
    "name",
    ["libc", "namespaces", "nsfs", "pidfd", "pidfd_ioctls", "clone", "mounts", "files", "prctl", "privileges", "capabilities"],
)
def test_importing_brings_no_ctypes(name: str) -> None:
    script = "import sys, importlib; importlib.import_module(%r); print('ctypes' in sys.modules)" % (PACKAGE + name)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


def test_asking_a_namespace_needs_no_ctypes() -> None:
    script = (
        "import os, sys; from %snsfs import ns_type\n" % PACKAGE
        + "print(ns_type(os.open('/proc/self/ns/net', os.O_RDONLY)), 'ctypes' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "net False\n"
