# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real engines for the tests: everything runs below one supervisor and in one folder, and goes with them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import image
from rig.supervisor import Supervisor

# Engines need root of the machine, not of some user namespace. Without, nothing here is collected, and pytest's last
# lines say so.
IS_ROOT = os.geteuid() == 0 and Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
collect_ignore_glob = [] if IS_ROOT else ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not IS_ROOT:
        terminalreporter.write_line(
            "NOT RUN: tests/engines starts real engines, and they need root", yellow=True, bold=True
        )


@pytest.fixture(scope="session")
def supervisor() -> Iterator[Supervisor]:
    """The parent of all engines. Fails the tests if an engine left processes behind when it was stopped."""
    # A short path: sockets have 107 bytes. Open, for an engine that runs as nobody.
    # Not tempfile's names: they may have an underscore where containerd allows none.
    root = Path("/var/tmp/nsft-" + secrets.token_hex(4))
    root.mkdir(mode=0o755)
    root.chmod(0o755)
    started = Supervisor(root)
    yield started
    left = started.close()
    assert not left, f"left behind by engines: {left}"


@pytest.fixture(scope="session")
def rootfs(supervisor: Supervisor) -> Path:
    """The image, unpacked."""
    return image.unpacked(supervisor.root / "rootfs")


@pytest.fixture(scope="session")
def archive(supervisor: Supervisor, rootfs: Path) -> Path:
    """The image, packed."""
    return image.packed(rootfs, supervisor.root / "image.tar")
