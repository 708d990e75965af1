# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All benchmarks; the tables of docs/performance.md are written anew. Needs root, and a quiet machine for true numbers.

    python3 bench/run.py                   # about ten minutes
    python3 bench/run.py payload task      # these only
    python3 bench/run.py --quick --page /tmp/performance.md

Needs ansible-core: where this Python has none, that of scripts/test or scripts/debug-containers is taken.
"""
from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys

import page

BENCHMARKS = (
    "inventory", "network", "payload", "task", "memory", "execution", "endurance", "creation", "fleet", "report",
)


def with_ansible() -> None:
    """Go on in an interpreter that has Ansible, if this one has not."""
    if importlib.util.find_spec("ansible") is not None:
        return
    for name in (".venv-test", ".venv"):
        python = os.path.join(page.CHECKOUT, name, "bin", "python")
        if os.path.exists(python):
            os.execv(python, [python, *sys.argv])
    raise SystemExit("no ansible-core here: ./scripts/test unit sets it up in this folder")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help="of: {}".format(", ".join(BENCHMARKS)))
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it works, not to publish")
    parser.add_argument("--page", default=page.PAGE, help="another page, made from docs/performance.md if it is new")
    asked = parser.parse_args()
    unknown = set(asked.benchmarks) - set(BENCHMARKS)
    if unknown:
        parser.error("there is no {}".format(", ".join(sorted(unknown))))
    if os.geteuid():
        parser.error("needs root: namespaces are made, and what others own is looked at")
    with_ansible()
    if not os.path.exists(asked.page):
        shutil.copyfile(page.PAGE, asked.page)
    for name in asked.benchmarks or BENCHMARKS:
        page.run(name, __import__(name).measure, asked.quick, asked.page)


if __name__ == "__main__":
    main()
