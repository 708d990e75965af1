# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded host for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded.host import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """With an init and nothing else; cgroup version 1 and 2 mounted."""
    return Host(tmp_path)
