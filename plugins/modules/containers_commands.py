#!/usr/bin/python

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: containers_commands
short_description: What commands say in the containers of a host, for the reports of a fleet
version_added: 0.1.0
author:
  - The nsfleet.linux authors (@nsfleet)
description:
  - Runs commands with M(nsfleet.linux.ns_exec) and O(ignore:read_only=true) in the containers of a host, one after the
    other, and leaves the beginning of what each said in a file on the controller. The result holds numbers only.
  - The role P(nsfleet.linux.debug_containers#role) has it for its variable C(debug_commands), and
    M(nsfleet.linux.containers_report) reads the file.
  - A command that is missing in a container, or ends with another status than 0, does not fail the task. The report
    says so.
extends_documentation_fragment:
  - nsfleet.linux._attributes
  - nsfleet.linux._attributes.action_group
attributes:
  check_mode:
    support: partial
    details:
      - A command runs where the kernel has all that proves that nothing can change. Elsewhere the report says that it
        was not run. The file is written in check mode too.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - The commands can change nothing. Where the kernel lacks a part of what proves it, what changed is reported.
options:
  commands:
    description:
      - The commands, each a text that is taken apart as a shell would, or a list of words. None is run by a shell.
      - One text instead of a list is one command.
    type: list
    elements: raw
    required: true
  dest:
    description: The file on the controller. It must not exist.
    type: path
    required: true
  seen:
    description: A file on the controller, such as the snapshot of the host, without which nothing is run.
    type: path
  containers:
    description:
      - Shell patterns of the containers, as O(nsfleet.linux.ns_exec#module:containers) takes them.
      - An empty list means every running container of a known engine, but no pod's own ones.
    type: list
    elements: str
    default: []
  engines:
    description: Engines whose containers are entered. An empty list means all that are known.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that one command may take in one container.
    type: float
    default: 10
seealso:
  - module: nsfleet.linux.ns_exec
  - module: nsfleet.linux.containers_report
notes:
  - Does not work with C(async).
"""

EXAMPLES = r"""
---
- name: What the containers have as name servers
  nsfleet.linux.containers_commands:
    commands: [cat /etc/resolv.conf]
    dest: "{{ place.path }}/{{ inventory_hostname | ansible.builtin.hash('sha256') }}.said"
"""

RETURN = r"""
commands:
  description: How many commands there were.
  type: int
  returned: success
  sample: 2
targets:
  description: How many results there are, of all commands together.
  type: int
  returned: success
  sample: 12
"""

# There is no code here: plugins/action/containers_commands.py runs on the controller.
