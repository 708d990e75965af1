#!/usr/bin/python

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: containers_report
short_description: Reports of the containers of a fleet, from snapshots
version_added: 0.1.0
author:
  - The nsfleet.linux authors (@nsfleet)
description:
  - Reads what M(nsfleet.linux.ns_snapshot) left on the controller, one host at a time, judges it, and writes the
    reports of the hosts and an index.
  - Runs in the controller's process, without a connection. What hosts said never gets into a variable.
  - The role P(nsfleet.linux.debug_containers#role) is made of it. Names of containers, images and hosts are data.
    What could be taken for markup or for a command of the terminal is shown, not obeyed.
extends_documentation_fragment:
  - nsfleet.linux._attributes
  - nsfleet.linux._attributes.action_group
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written, and the result tells what would be.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - Reports hold no time and no counters. Of a host that did not change nothing is written.
  platform:
    platforms: posix
options:
  state:
    description:
      - V(prepared) makes a folder for snapshots, which only the user who runs Ansible may read, and which Ansible
        removes when it ends.
      - V(reported) reads the snapshots and writes the reports.
    type: str
    choices: [prepared, reported]
    default: reported
  hosts:
    description: The hosts to report, in this order.
    type: list
    elements: str
    default: []
  shown:
    description: Those of O(hosts) that RV(lines) tell of. All when left out.
    type: list
    elements: str
  pending:
    description: Names of hosts that are still to be looked at.
    type: list
    elements: str
    default: []
  register:
    description:
      - Name of the variable in which each host has its result of M(nsfleet.linux.ns_snapshot).
      - Its snapshot is expected in a folder that O(state=prepared) made, under the name that the filter
        P(ansible.builtin.hash#filter) with V(sha256) makes of the host's. It is removed when it was read.
    type: str
  containers:
    description: Shell patterns of the containers to report. An empty list means all.
    type: list
    elements: str
    default: []
  engines:
    description: Engines whose containers are reported. An empty list means all.
    type: list
    elements: str
    default: []
  infra:
    description: Whether the infrastructure containers of pods are reported.
    type: bool
    default: true
  kept:
    description: Whether namespaces without a process are reported.
    type: bool
    default: true
  inventory:
    description: Whether the files list every namespace of the host.
    type: bool
    default: false
  commands:
    description:
      - The commands that M(nsfleet.linux.containers_commands) ran on each host. What they said is expected beside the
        snapshot, with C(.said) after its name, and is removed when it was read.
      - Each is a text or a list of words. With O(state=prepared) it is only looked whether they are.
    type: list
    elements: raw
    default: []
  faults:
    description:
      - Which faults are told. V(all), checks by their ID (V(RT-001)), groups of them (V(RT)), severities (V(critical),
        V(high), V(medium), V(low), V(info)).
      - An empty list tells none, and nothing is judged.
    type: list
    elements: str
    default: [all]
  directory:
    description: Folder for the files. Relative to where C(ansible-playbook) was started. Empty for no files.
    type: str
    default: ""
  formats:
    description: Which files to write. V(svg) is a drawing of the wiring.
    type: list
    elements: str
    choices: [json, markdown, svg]
    default: [json, markdown, svg]
  snapshots:
    description: Whether the snapshots are kept in C(snapshots) below O(directory).
    type: bool
    default: false
  columns:
    description: Columns of the table in RV(lines).
    type: list
    elements: str
    choices: [name, id, engine, image, pod, state, user, unit, pid, namespaces, shared]
    default: [name, engine, image, pid, namespaces, shared]
  numbers:
    description: Whether the table has the numbers of the namespaces below each container.
    type: bool
    default: false
  width:
    description: Most columns that a line of RV(lines) has.
    type: int
    default: 80
  rows:
    description: Most containers that RV(lines) list, all hosts together.
    type: int
    default: 1000
  quoted:
    description: Whether RV(lines) are going to be printed as JSON strings. Quotes are longer there.
    type: bool
    default: false
seealso:
  - module: nsfleet.linux.ns_snapshot
  - module: nsfleet.linux.containers_commands
notes:
  - Does not work with C(async).
"""

EXAMPLES = r"""
---
- name: A place for snapshots
  nsfleet.linux.containers_report:
    state: prepared
  run_once: true
  register: place

- name: Look at each host
  nsfleet.linux.ns_snapshot:
    dest: "{{ place.path }}/{{ inventory_hostname | ansible.builtin.hash('sha256') }}"
    cmdline: false
    labels: false
    processes: false
  register: looked
  # The folder is temporary, so the snapshot may be written in check mode too.
  check_mode: false

- name: Report
  nsfleet.linux.containers_report:
    hosts: "{{ ansible_play_hosts_all }}"
    register: looked
    directory: reports
  run_once: true
  register: reported

- name: Show
  ansible.builtin.debug:
    msg: "{{ reported.lines }}"
  run_once: true
"""

RETURN = r"""
path:
  description: The folder for snapshots.
  type: str
  returned: when O(state=prepared)
  sample: /home/me/.ansible/tmp/ansible-local-4242abcdefgh/snapshots-1a2b3c4d
lines:
  description: The tables for a terminal.
  type: list
  elements: str
  returned: when O(state=reported)
written:
  description: The files that are new or other than before, relative to O(directory).
  type: list
  elements: str
  returned: when O(state=reported)
  sample: [hosts/web1.md, index.md]
not_written:
  description: Why files could not be written; empty when they could.
  type: str
  returned: when O(state=reported)
hosts:
  description: What became of each host, by its name.
  type: dict
  returned: when O(state=reported)
  contains:
    NAME:
      description: One host.
      type: dict
      returned: always
      contains:
        status:
          description: V(complete) or V(incomplete) where it was seen, else V(unreachable), V(failed), V(missing),
            V(pending).
          type: str
          returned: always
        reason:
          description: What was not seen, and why. Empty where everything was.
          type: str
          returned: always
        faults:
          description: How many faults it has of those that O(faults) picks.
          type: int
          returned: always
        faulty:
          description: The gravest three of them in a sentence. Empty where there is none.
          type: str
          returned: always
"""

# There is no code here: plugins/action/containers_report.py runs on the controller.
