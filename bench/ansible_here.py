# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible as this checkout is used with it, and what it ships to a managed host."""
from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
from typing import Any

from page import CHECKOUT

INVENTORY = "localhost ansible_connection=local ansible_python_interpreter={}\n"


class AnsibleFailed(RuntimeError):
    """What Ansible said."""


def ansible(command: str, arguments: list[str], folder: str, environment: dict[str, str] | None = None,
            python: str = sys.executable) -> str:
    """Run C(ansible adhoc) or C(ansible playbook) on this machine; what it leaves behind goes to C(folder).

    C(python): the interpreter whose Ansible it is, and which runs the modules.
    """
    hosts = os.path.join(folder, "hosts.ini")
    with open(hosts, "w", encoding="utf-8") as file:
        file.write(INVENTORY.format(python))
    # The user's own settings decide nothing here.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    kept.update({
        "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": os.path.join(CHECKOUT, "ansible.cfg"), "ANSIBLE_INVENTORY": hosts,
        "ANSIBLE_COLLECTIONS_PATH": os.path.join(CHECKOUT, ".collections"), "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_HOME": os.path.join(folder, "home"), "ANSIBLE_REMOTE_TMP": os.path.join(folder, "remote"),
    })
    kept.update(environment or {})
    done = subprocess.run([python, "-m", "ansible", command, *arguments], capture_output=True, env=kept,
                          cwd=CHECKOUT, check=False)
    if done.returncode:
        raise AnsibleFailed(f"ansible {command} {arguments}: {done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout.decode()


def shipped(module: str, folder: str, arguments: dict[str, Any] | None = None) -> str:
    """The path of the file that Ansible sends to a managed host for C(module), kept there as Ansible allows."""
    place = os.path.join(folder, module)
    os.makedirs(place)
    command = ["localhost", "-m", module, *(["-a", json.dumps(arguments)] if arguments else [])]
    failed: AnsibleFailed | None = None
    try:
        ansible("adhoc", command, folder, {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_REMOTE_TMP": place})
    except AnsibleFailed as error:
        # It was shipped before it failed, and that is what is asked for.
        failed = error
    files = glob.glob(os.path.join(place, "*", "AnsiballZ_*.py"))
    if not files:
        raise AnsibleFailed(f"{module} was not shipped") from failed
    return files[0]
