# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel that has the modules which a test says it has."""

from __future__ import annotations

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.modules import Modules


class Loaded(Modules):
    """These modules are there, or all that there are. C(known): that the others are absent is known."""

    def __init__(self, *names: str, known: bool = True) -> None:
        self._names = names
        self._known = known

    def ready(self, name: str) -> bool:
        """Whether it is among them."""
        return not self._names or name in self._names

    def absent(self, name: str) -> bool:
        """Whether it is known not to be."""
        return self._known and not self.ready(name)


class Unloaded(Loaded):
    """No module at all."""

    def ready(self, name: str) -> bool:
        """It is not."""
        return False
