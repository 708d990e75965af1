# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import pytest
from canned import HOSTILE, crowd
from playing import Play, Played, Shown, player


@pytest.fixture
def play(tmp_path: pathlib.Path) -> Play:
    """Run debug-containers.yml on hosts whose facts are given: a dictionary, or a message with which they fail."""
    return player(tmp_path)


@pytest.fixture
def shown(play: Play) -> Shown:
    """The table only: without files a run takes a third of the time."""

    def run(hosts: Mapping[str, Any], **variables: Any) -> list[str]:
        played = play(hosts, debug_containers_directory="", **variables)
        assert played.status == 0, played.output
        return played.table

    return run


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A busy host with names that mean harm, played once."""
    played = player(tmp_path_factory.mktemp("hostile"))({"web1": crowd(100, HOSTILE)})
    assert played.status == 0, played.output
    return played
