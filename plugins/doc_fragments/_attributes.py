# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

from __future__ import annotations


class ModuleDocFragment:
    # What every module says about itself; the values are the module's own (or from one of the fragments below).
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description:
      - When run twice in a row with the same arguments, the second invocation indicates that nothing was changed.
      - This assumes that the system controlled by the module has not changed in a relevant way.
  platform:
    description: Target operating systems that can be operated against.
    platforms: linux
    support: full
"""

    # For modules that only look.
    READ_ONLY = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - The module changes nothing, in check mode and out of it.
  diff_mode:
    support: N/A
    details:
      - The module changes nothing.
  idempotent:
    support: full
    details:
      - The module changes nothing.
"""

    # For modules that return ansible_facts.
    FACTS = r"""
options: {}
notes:
  - Process IDs are those of the module's PID namespace.
  - Facts may be cached by Ansible, and process IDs are used again. Compare
    RV(nsfleet.linux.ns_facts#module:ansible_facts.namespaces.boot_id) and the C(start_time) of a process before you
    rely on an old ID.
  - "It can be used as a facts module: C(ansible_facts_modules=['ansible.builtin.setup', 'nsfleet.linux.ns_facts'])."
attributes:
  facts:
    description: Action returns an C(ansible_facts) dictionary that will update existing host facts.
    support: full
"""

    # For members of the action group (meta/runtime.yml).
    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/nsfleet.linux.namespaces) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - nsfleet.linux.namespaces
"""
