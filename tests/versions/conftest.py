# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells in pytest's summary which versions were tried and, loudly, which not: a gap must not look like a success."""

from __future__ import annotations

import pytest
import pythons


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tried = sorted({managed for dummy, managed in pythons.pairs()}, key=pythons.as_tuple)
    terminalreporter.write_line(f"Managed with Python {', '.join(tried)}")
    for sentence in pythons.missing():
        terminalreporter.write_line(f"NOT RUN: {sentence}", yellow=True, bold=True)
