# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

from __future__ import annotations


class ModuleDocFragment:
    # What can be asked of a look at a host. Where the defaults of a module are others, it says so itself.
    DOCUMENTATION = r"""
options:
  gather_subset:
    description:
      - What to return.
      - V(namespaces) is the list of all namespaces,
        RV(nsfleet.linux.ns_facts#module:ansible_facts.namespaces.inventory).
      - V(containers) is the list of all containers,
        RV(nsfleet.linux.ns_facts#module:ansible_facts.namespaces.containers).
      - V(network) is what there is in each network namespace,
        RV(nsfleet.linux.ns_facts#module:ansible_facts.namespaces.networks).
    type: list
    elements: str
    choices: [namespaces, containers, network]
    default: [namespaces, containers]
  types:
    description:
      - Types of namespaces to list in RV(nsfleet.linux.ns_facts#module:ansible_facts.namespaces.inventory) and
        to count.
    type: list
    elements: str
    choices: [mnt, uts, ipc, pid, net, user, cgroup, time]
    default: [mnt, uts, ipc, pid, net, user, cgroup, time]
  containers:
    description:
      - Shell patterns of the containers to list. A pattern is compared with the container's name, its
        full ID, and C(engine:name).
      - An empty list means all.
      - RV(nsfleet.linux.ns_facts#module:ansible_facts.namespaces.inventory) is not narrowed by it.
    type: list
    elements: str
    default: []
  scan:
    description:
      - Where to look for namespaces. Processes are read in any case, because all other sources start from
        them.
      - V(processes) are the namespaces of processes.
      - V(threads) are threads that are in other namespaces than their process, and the namespaces that the next
        children of processes and threads will be in.
      - V(descriptors) are open descriptors of namespaces, also in descriptor tables that belong to a
        single thread.
      - V(sockets) are sockets that belong to another network namespace than their process. Needs Linux 5.6.
      - V(mounts) are bind mounts in every mount namespace, also in those without a process. These are
        found completely since Linux 6.12, before
        that as far as something else pins them.
      - V(ancestors) are parents and owners of namespaces, and since Linux 6.19 all that the kernel lists.
    type: list
    elements: str
    choices: [processes, threads, descriptors, sockets, mounts, ancestors]
    default: [processes, threads, descriptors, sockets, mounts, ancestors]
  cmdline:
    description:
      - Whether to return the command lines of leaders. They may hold secrets.
    type: bool
    default: false
  labels:
    description:
      - Whether to return the labels of containers. They may be long and may hold secrets.
    type: bool
    default: false
  processes:
    description:
      - Whether to return the process IDs in each namespace.
    type: bool
    default: false
  max_entries:
    description:
      - How many entries each list of a namespace may have. What is left out is counted in
        RV(nsfleet.linux.ns_facts#module:ansible_facts.namespaces.problems).
    type: int
    default: 500
  timeout:
    description:
      - Seconds after which the module returns what it has found so far. What was not looked at is counted
        in RV(nsfleet.linux.ns_facts#module:ansible_facts.namespaces.problems).
    type: float
    default: 30.0
"""
