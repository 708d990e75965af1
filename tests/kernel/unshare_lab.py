# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_unshare as its module calls it, and unshare(1) beside it."""

from __future__ import annotations

import os
import subprocess
from typing import Any, Callable

from ansible_collections.nsfleet.linux.plugins.module_utils._create.options import unshare_options
from ansible_collections.nsfleet.linux.plugins.module_utils._create.unshare import run_task
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import privileges
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.libc import syscall

SPEC = unshare_options()
NOBODY = 65534


def ns_unshare(check: bool = False, **given: Any) -> dict[str, Any]:
    """The module's result."""
    assert set(given) <= set(SPEC)
    return run_task({**{name: option.get("default") for name, option in SPEC.items()}, **given}, check)


def succeeded(**given: Any) -> dict[str, Any]:
    """The result of a command that must not fail."""
    result = ns_unshare(**given)
    assert not result.get("failed") and result["rc"] == 0 and result["changed"], result
    return result


def said(**given: Any) -> str:
    """What a command that must not fail has printed."""
    return str(succeeded(**given)["stdout"])


def refused(**given: Any) -> str:
    """The sentence of what nothing came of."""
    result = ns_unshare(**given)
    assert result["failed"] and result.get("rc") is None and not result["changed"], result
    sentence = str(result["msg"])
    assert sentence.endswith(".") and sentence.isprintable(), sentence
    return sentence


def unshare(*argv: str) -> str:
    """What unshare(1) has a command print."""
    done = subprocess.run(["unshare", *argv], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def unprivileged(function: Callable[[], Any], host_root: bool) -> Callable[[], Any]:
    """As nobody, or, where there is nobody else to become, as a user without any capability."""

    def run() -> Any:
        if host_root:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        else:
            syscall("prctl", 28, 1, 0, 0, 0)  # PR_SET_SECUREBITS, SECBIT_NOROOT: none come back by an execution
            privileges.capset(privileges.CapabilitySets(0, 0, 0))
        return function()

    return run
