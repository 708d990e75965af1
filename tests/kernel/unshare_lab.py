# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_unshare as its module calls it, and unshare(1) beside it."""

from __future__ import annotations

import subprocess
from typing import Any

from ansible_collections.nsfleet.linux.plugins.module_utils._create.options import unshare_options
from ansible_collections.nsfleet.linux.plugins.module_utils._create.unshare import run_task

SPEC = unshare_options()


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
