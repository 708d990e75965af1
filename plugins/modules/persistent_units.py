#!/usr/bin/python

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: persistent_units
short_description: What makes kept namespaces again at boot
version_added: 0.1.0
author:
  - The nsfleet.linux authors (@nsfleet)
description:
  - Has one unit of systemd for each name of a list. It keeps namespaces as M(nsfleet.linux.ns_persist) does.
    Units of names that are not in the list are removed.
  - The units run one file, which holds the code of M(nsfleet.linux.ns_persist) and needs Python only. It is put
    together on the controller and is the same whenever the collection is.
  - The role P(nsfleet.linux.persistent_namespaces#role) has it, together with M(nsfleet.linux.ns_persist). By itself it
    makes and removes no namespaces, and starts and stops no units.
extends_documentation_fragment:
  - nsfleet.linux._attributes
  - nsfleet.linux._attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - With V(seen) nothing is changed. RV(gone) tells what has to be removed before.
      - With V(written) the files are as they should be.
    type: str
    choices: [seen, written]
    default: written
  namespaces:
    description:
      - What is to be kept. Each entry has a C(name) of letters, digits, underscores, dots, colons, and dashes, and
        other options of M(nsfleet.linux.ns_persist), but none that names what exists.
      - With an empty list nothing is left but empty folders.
    type: list
    elements: dict
    required: true
  configuration:
    description:
      - The folder for one file of options a name, which only its owner may read.
    type: path
    default: /etc/nsfleet/namespaces
  programs:
    description:
      - The folder for the program.
    type: path
    default: /usr/local/lib/nsfleet
  units:
    description:
      - The folder of units. On a host that systemd does not run, none are written.
    type: path
    default: /etc/systemd/system
  python:
    description:
      - The Python that runs the program at boot. By default the one that this module runs with, as C(python3) where
        that is the same.
    type: path
seealso:
  - module: nsfleet.linux.ns_persist
notes:
  - Does not work with C(async).
"""

EXAMPLES = r"""
---
- name: Have a unit for each of two names
  nsfleet.linux.persistent_units:
    namespaces:
      - name: blue
        loopback: true
      - name: build
        namespaces: [uts, net]
        hostname: build
"""

RETURN = r"""
namespaces:
  description: The list, with the options that are given.
  type: list
  elements: dict
  returned: success
  sample: [{name: blue, namespaces: [net], loopback: true}]
gone:
  description:
    - What an earlier run has kept and this list does not, or keeps in another directory.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The name.
      type: str
      returned: always
    directory:
      description: The directory in which its units are, if it had one.
      type: str
      returned: if there is one
    force:
      description: Whether its entry had it.
      type: bool
      returned: always
    unit:
      description: The unit of systemd that goes, or empty where none goes.
      type: str
      returned: always
  sample: [{name: green, force: false, unit: nsfleet-green.service}]
systemd:
  description: Whether systemd runs the host.
  type: bool
  returned: success
reload:
  description: Whether systemd has to read its units again.
  type: bool
  returned: success
command:
  description: What has to be run at boot where no unit does.
  type: str
  returned: success
  sample: /usr/bin/python3 -I /usr/local/lib/nsfleet/ns_persist.pyz present /etc/nsfleet/namespaces/*.json
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nsfleet.linux.plugins.module_utils._boot_files import look, persistent_units_options


def main() -> None:
    module = AnsibleModule(argument_spec=persistent_units_options(), supports_check_mode=True)
    # The half that is on the host: plugins/action/persistent_units.py has the other one and calls it.
    places = (str(module.params[name]).rstrip("/") for name in ("configuration", "programs", "units"))
    module.exit_json(changed=False, **look(*places))


if __name__ == "__main__":
    main()
