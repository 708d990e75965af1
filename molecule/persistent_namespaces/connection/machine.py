# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in the machine of this scenario, by its script."""

from __future__ import annotations

import os
import pathlib
import shlex
import subprocess

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "machine"

DOCUMENTATION = """
name: machine
short_description: The machine of the scenario persistent_namespaces
description: Runs commands in it.
author: the nsfleet.linux authors (@nsfleet)
options:
  folder:
    description: Where it lives.
    type: path
    required: true
    vars:
      - name: scratch
"""


class Connection(ConnectionBase):
    transport = "machine"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def close(self) -> None:
        self._connected = False

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        done = self._run(cmd, in_data or b"")
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        super().put_file(in_path, out_path)
        self._must(f"cat >{shlex.quote(out_path)}", pathlib.Path(os.fsdecode(in_path)).read_bytes())

    def fetch_file(self, in_path: str, out_path: str) -> None:
        super().fetch_file(in_path, out_path)
        pathlib.Path(out_path).write_bytes(self._must(f"cat {shlex.quote(in_path)}", b""))

    def _must(self, command: str, content: bytes) -> bytes:
        done = self._run(command, content)
        if done.returncode:
            raise AnsibleConnectionFailure(f"{command}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def _run(self, command: str, content: bytes) -> subprocess.CompletedProcess[bytes]:
        argv = [str(SCRIPT), "run", str(self.get_option("folder")), "/bin/sh", "-c", command]
        try:
            return subprocess.run(argv, input=content, capture_output=True, check=False, timeout=120)
        except subprocess.TimeoutExpired as error:
            raise AnsibleConnectionFailure(f"{command}: not done after {error.timeout} s") from error
