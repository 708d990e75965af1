# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""runc by itself: bundles, started with a root of our own or with the one that runc has by default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rig.programs import environment, program
from rig.supervisor import Completed, Supervisor
from rig.waiting import until


class Runc:
    """runc with ``root`` as its state folder; without, with /run/runc, where other people's containers may be too."""

    def __init__(self, supervisor: Supervisor, folder: Path, rootfs: Path, root: Path | None = None) -> None:
        self._supervisor = supervisor
        self._folder = folder
        self._rootfs = rootfs
        self._root = ["--root", str(root)] if root else []
        self._ids: list[str] = []

    def __call__(self, *arguments: str, check: bool = True) -> Completed:
        """A command of runc."""
        return self._supervisor.run(program("runc", "runc"), *self._root, *arguments, check=check, env=environment())

    def run(self, identity: str, **linux: Any) -> int:
        """Start a container that sleeps, detached; returns its pid. ``linux`` replaces parts of the bundle's."""
        bundle = self._bundle(identity, linux)
        self("run", "--detach", "--bundle", str(bundle), identity)
        return self.pid(identity)

    def run_in_foreground(self, identity: str) -> int:
        """The same with runc staying as the parent."""
        bundle = self._bundle(identity, {})
        self._supervisor.start(
            program("runc", "runc"),
            *self._root,
            "run",
            "--bundle",
            str(bundle),
            identity,
            log=bundle / "log",
            env=environment(),
        )
        until(
            lambda: self("state", identity, check=False).status == 0 and self.said(identity)["status"] == "running",
            f"{identity} does not run, see {bundle}/log",
        )
        return self.pid(identity)

    def said(self, identity: str) -> dict[str, Any]:
        """What `runc state` says."""
        found: dict[str, Any] = json.loads(self("state", identity).stdout)
        return found

    def pid(self, identity: str) -> int:
        """The init."""
        return int(self.said(identity)["pid"])

    def stop(self) -> None:
        for identity in self._ids:
            self("resume", identity, check=False)
            self("delete", "--force", identity)

    def _bundle(self, identity: str, linux: dict[str, Any]) -> Path:
        bundle = self._folder / identity
        bundle.mkdir(parents=True)
        self("spec", "--bundle", str(bundle))
        settings = json.loads((bundle / "config.json").read_text())
        settings["process"].update(terminal=False, args=["/bin/sleep", "600"])
        # A host may not raise limits.
        settings["process"].pop("rlimits")
        settings["root"] = {"path": str(self._rootfs), "readonly": True}
        settings["linux"].update(linux)
        (bundle / "config.json").write_text(json.dumps(settings))
        self._ids.append(identity)
        return bundle
