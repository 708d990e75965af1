#!/usr/bin/python

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ns_snapshot
short_description: Everything ns_facts can see of a host, in one small file on the controller
version_added: 0.1.0
author:
  - The nsfleet.linux authors (@nsfleet)
description:
  - Looks at the host as M(nsfleet.linux.ns_facts) does, with all it can see, and writes the facts to a file on
    the controller.
    The result holds only numbers, so that the facts of a large fleet fill neither the controller's memory nor
      its logs.
  - The file is JSON compressed with zlib (RFC 1950), and holds what M(nsfleet.linux.ns_facts) returns as
    RV(nsfleet.linux.ns_facts#module:ansible_facts.namespaces). The examples show how to read it.
  - A host sends at most 600,000 bytes. Of one that has more to tell the longest lists are cut, which is said in
    RV(nsfleet.linux.ns_facts#module:ansible_facts.namespaces.problems).
  - Command lines and labels may hold secrets. Only the user who runs Ansible may read the file.
extends_documentation_fragment:
  - nsfleet.linux._attributes
  - nsfleet.linux._attributes.action_group
  - nsfleet.linux._facts
attributes:
  check_mode:
    support: full
    details:
      - The host is looked at, and no file is written.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each snapshot has its time in it.
options:
  dest:
    description:
      - The file on the controller. One that exists is replaced.
      - In a folder (one that exists, or a path that ends in a slash) the file is called like the host, with
        C(.json.zlib) behind it.
      - A relative path begins where C(ansible-playbook) was started. Folders that are missing are made.
    type: path
    required: true
  gather_subset:
    default: [namespaces, containers, network]
  cmdline:
    default: true
  labels:
    default: true
  processes:
    default: true
seealso:
  - module: nsfleet.linux.ns_facts
notes:
  - Does not work with C(async).
"""

EXAMPLES = r"""
---
- name: One file a host, in the folder snapshots
  nsfleet.linux.ns_snapshot:
    dest: snapshots/

- name: Nothing that may be a secret
  nsfleet.linux.ns_snapshot:
    dest: "snapshots/{{ inventory_hostname }}.json.zlib"
    cmdline: false
    labels: false
    processes: false
  register: kept

- name: Read one
  ansible.builtin.command:
    argv:
      - "{{ ansible_playbook_python }}"
      - -c
      - import sys, zlib; sys.stdout.buffer.write(zlib.decompress(open(sys.argv[1], "rb").read()))
      - "{{ kept.dest }}"
  delegate_to: localhost
  changed_when: false
  register: snapshot

- name: What listens on it
  ansible.builtin.debug:
    msg: "{{ (snapshot.stdout | from_json).networks.values() | map(attribute='listening') | flatten }}"
"""

RETURN = r"""
dest:
  description: The file on the controller.
  type: str
  returned: success
  sample: /home/me/snapshots/web1.json.zlib
size:
  description: How many bytes it has.
  type: int
  returned: success
counts:
  description: How many namespaces of each type, containers and networks there are.
  type: dict
  returned: success
  sample: {mnt: 4, net: 3, containers: 2, networks: 3}
complete:
  description: Whether everything was seen.
  type: bool
  returned: success
problems:
  description: How often something was not seen. The file says what.
  type: int
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nsfleet.linux.plugins.module_utils._facts import facts_for
from ansible_collections.nsfleet.linux.plugins.module_utils._facts_network import gather_networks
from ansible_collections.nsfleet.linux.plugins.module_utils._options import facts_options
from ansible_collections.nsfleet.linux.plugins.module_utils._snapshot import pack, summary


def main() -> None:
    options = facts_options(private=True)
    options["dest"] = {"type": "path", "required": True}
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    try:
        facts = facts_for(module.params, gather_networks)
    except ValueError as error:
        module.fail_json(msg=str(error))
    snapshot = pack(facts)
    # The action plugin takes the snapshot out of the result.
    module.exit_json(changed=False, snapshot=snapshot, **summary(facts))


if __name__ == "__main__":
    main()
