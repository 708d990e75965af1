# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

from __future__ import annotations


class ModuleDocFragment:
    # What is run, as far as it is the same wherever it is run.
    DOCUMENTATION = r"""
options:
  cmd:
    description:
      - The command with its arguments, taken apart as a shell would, but not run by one. For pipes there is O(shell).
      - One of O(cmd) and O(argv) is required. There is no free form as M(ansible.builtin.command) has it.
    type: str
  argv:
    description:
      - The command as a list.
    type: list
    elements: str
  shell:
    description:
      - Give O(cmd) to a shell, O(executable) or C(/bin/sh).
    type: bool
    default: false
  executable:
    description:
      - The shell for O(shell=true), by its path.
    type: str
  chdir:
    description:
      - The folder to be in, as the command sees it.
    type: str
  removes:
    description:
      - A file name or a pattern. If it does not exist, there is nothing to do.
    type: str
  stdin:
    description:
      - What the command reads.
    type: str
  stdin_add_newline:
    description:
      - Add a newline to O(stdin).
    type: bool
    default: true
  strip_empty_ends:
    description:
      - Take empty lines away from the end of what the command prints.
    type: bool
    default: true
  expand_argument_vars:
    description:
      - Expand C($NAME) and C(~) in the arguments, from the environment that the command will have.
    type: bool
    default: true
  onlyif:
    description:
      - A command that tells whether there is something to do, like O(unless), with 0 for yes and 1 for no.
    type: raw
  group:
    description:
      - The group, by name or number.
    type: str
  umask:
    description:
      - The file mode creation mask, in octal.
    type: raw
  timeout_grace:
    description:
      - Seconds between the two signals.
    type: float
    default: 2
  timeout_ok:
    description:
      - A command that was ended by its timeout has not failed, as for a packet capture.
    type: bool
    default: false
"""
