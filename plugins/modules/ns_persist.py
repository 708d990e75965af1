#!/usr/bin/python

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ns_persist
short_description: Keep namespaces alive under a name
version_added: 0.1.0
author:
  - The nsfleet.linux authors (@nsfleet)
description:
  - Makes namespaces of any of the eight types that stay without a process, as C(ip netns add) does for networks, or
    keeps some that exist, those of a container for example.
  - Several types under one name are a unit, which M(nsfleet.linux.ns_exec) enters as a whole
    (O(nsfleet.linux.ns_exec#module:name)). If C(user) is one of them, it owns the others.
  - A network is listed, entered, and deleted by C(ip netns) under the same name, and what that has made is recognised.
  - What is right stays. What is stale is repaired. What is alive and different fails the task, unless O(force=true).
  - Nobody finds a name that cannot be entered, not even if the task is killed. What a killed task has left is finished
    or removed by the next one.
  - Names last until the next boot.
extends_documentation_fragment:
  - nsfleet.linux._attributes
  - nsfleet.linux._attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - One line for each name and setting that differs. In check mode what is not made yet is called C(net:[new]).
  idempotent:
    support: full
options:
  name:
    description:
      - The name, which is one component of a path and does not begin with a dot.
    type: str
    required: true
  state:
    description:
      - V(present) makes the namespaces, or keeps those of a container, process, file, or reference if one is given.
      - V(absent) takes the name away, whatever types it has. The namespaces end with the last process that is in them.
      - With V(absent), process 1 of a pid namespace is ended only if this module has started it and nothing else lives
        in there. If something does, the task fails and names it, unless O(force=true), which ends it.
    type: str
    choices: [present, absent]
    default: present
  namespaces:
    description:
      - The types to keep. Others that are kept under the name too make it different, and so does one that is the
        host's own.
      - Types that are missing are made inside of what is there already.
      - A new pid namespace gets a process 1 that only sleeps, in a session and a cgroup of its own, so that it survives
        the task and the login. Types that are added later are not its own.
      - If C(mnt) and C(pid) are made, there is a C(/proc) of that pid namespace.
    type: list
    elements: str
    choices: [mnt, uts, ipc, pid, net, user, cgroup, time]
    default: [net]
    aliases: [types]
  directory:
    description:
      - The folder for units. It is made if it is missing, and mounted on itself. It may not be in C(/run/netns), around
        that, or in a unit.
      - A folder at O(directory)/O(name) with anything in it that is not ours is left alone, and fails the task where it
        would have to go, even with O(force=true).
      - The types of a unit are the files O(directory)/O(name)/TYPE. If C(net) is one of them, there is
        C(/run/netns/)O(name) as well.
      - By default it is C(/run/nsfleet), but if O(namespaces) is C(net) alone, there is C(/run/netns/)O(name) only.
    type: path
  force:
    description:
      - Make anew what is alive and different. Nothing of the old unit stays.
      - End processes that live in a pid namespace whose process 1 has to go.
    type: bool
    default: false
  container:
    description:
      - Keep the namespaces of a running container of any engine, named as for M(nsfleet.linux.ns_exec).
      - At most one of O(container), O(pid), O(netns), O(path), and O(ref) can be given.
      - With any of them, the options that say how namespaces are to be made are refused.
      - A namespace that is the host's own is refused.
    type: str
  pid:
    description:
      - Keep the namespaces of a process.
    type: int
  start_time:
    description:
      - When O(pid) was started, in clock ticks since boot. Another process with that number is refused.
    type: int
  netns:
    description:
      - Keep a network namespace that has another name in C(/run/netns) already.
    type: str
  path:
    description:
      - Keep the namespace that a file is, such as C(/proc/4711/ns/uts). Its type must be the one of O(namespaces).
    type: path
  ref:
    description:
      - Keep a namespace as M(nsfleet.linux.ns_facts) names it, for example C(net:[4026532184]#4711).
    type: str
  hostname:
    description:
      - Name of the host in the UTS namespace. Kept on every run.
    type: str
  domainname:
    description:
      - NIS domain name in the UTS namespace. Kept on every run.
    type: str
  loopback:
    description:
      - Have C(lo) of the network up. Kept on every run. With V(false) it is left as it is.
    type: bool
    default: false
  map_users:
    description:
      - Ranges of user IDs of the user namespace, as C(inner:outer:count), or V(auto) for what C(/etc/subuid) delegates.
      - If they are given, a user namespace with another map is different. If not, a new one has the caller as root.
    type: list
    elements: str
  map_groups:
    description:
      - The same for group IDs.
    type: list
    elements: str
  setgroups:
    description:
      - Whether processes in the user namespace may change their supplementary groups.
    type: str
    choices: [allow, deny]
  propagation:
    description:
      - How mounts travel between the new mount namespace and the one that it is made from. The default is V(slave).
      - It is of the making only. Later changes inside are not looked at.
    type: str
    choices: [private, slave, shared, unchanged]
  monotonic_offset:
    description:
      - Seconds by which C(CLOCK_MONOTONIC) is ahead in the time namespace. Another offset makes it different.
    type: int
  boottime_offset:
    description:
      - Seconds by which C(CLOCK_BOOTTIME) is ahead in the time namespace. Another offset makes it different.
    type: int
  nsid:
    description:
      - By which number the network namespace of the module is to know this one, as C(ip netns set) sets it.
      - The kernel does not change it once it is set.
    type: int
seealso:
  - module: nsfleet.linux.ns_exec
  - module: nsfleet.linux.ns_unshare
  - module: nsfleet.linux.ns_facts
notes:
  - It takes C(CAP_SYS_ADMIN), so it runs as root as a rule.
  - Names are kept in the mount namespace of process 1 if the module is in another one and may join it. If it may not,
    or if that cannot be told, they are kept in its own, with a warning.
"""

EXAMPLES = r"""
---
- name: A network with a loopback, as ip netns add makes it
  nsfleet.linux.ns_persist:
    name: blue
    loopback: true

- name: A network that this one knows by a number
  nsfleet.linux.ns_persist:
    name: green
    nsid: 7

- name: A small machine of its own, which ns_exec enters
  nsfleet.linux.ns_persist:
    name: sandbox
    namespaces: [user, mnt, uts, ipc, pid, net]
    hostname: sandbox
    loopback: true
    map_users: ["0:100000:65536"]
    map_groups: ["0:100000:65536"]

- name: Run something in there
  nsfleet.linux.ns_exec:
    name: sandbox
    cmd: hostname

- name: Keep the network of a container, for a look after it has ended
  nsfleet.linux.ns_persist:
    name: web-net
    container: web

- name: A clock that is a day ahead
  nsfleet.linux.ns_persist:
    name: tomorrow
    namespaces: [time]
    boottime_offset: 86400

- name: Take a name away, whatever lives in there
  nsfleet.linux.ns_persist:
    name: sandbox
    state: absent
    force: true
"""

RETURN = r"""
name:
  description: As given.
  returned: always
  type: str
  sample: blue
state:
  description: As given.
  returned: always
  type: str
  sample: present
paths:
  description:
    - The file of each type, for C(nsenter), for C(NetworkNamespacePath=) of systemd, and the like.
    - Empty with O(state=absent).
  returned: always
  type: dict
  sample: {net: /run/netns/blue}
namespaces:
  description: What is kept, by type. In check mode without what would be made.
  returned: always
  type: dict
  sample: {net: "net:[4026532184]"}
repaired:
  description: What was wrong and is not any more, a sentence for each.
  returned: always
  type: list
  elements: str
  sample: ["/run/netns/blue was a plain file on which nothing is mounted"]
diff:
  description: What differs, one line for each name and setting.
  returned: always
  type: dict
  contains:
    before:
      description: Lines that are gone.
      type: str
      returned: always
    after:
      description: Lines that are new.
      type: str
      returned: always
  sample: {before: "", after: "net: net:[4026532184] at /run/netns/blue\nloopback up\n"}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nsfleet.linux.plugins.module_utils._compiled_once import compile_once
from ansible_collections.nsfleet.linux.plugins.module_utils._create.options import EXISTING, persist_options


def main() -> None:
    module = AnsibleModule(
        argument_spec=persist_options(),
        mutually_exclusive=[EXISTING],
        required_by={"start_time": ("pid",)},
        supports_check_mode=True,
    )
    # What follows is many files.
    compile_once()
    from ansible_collections.nsfleet.linux.plugins.module_utils._create.persist import run_persist

    result = run_persist(module.params, module.check_mode)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
