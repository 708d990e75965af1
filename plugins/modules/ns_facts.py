#!/usr/bin/python

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ns_facts
short_description: Inventory of every Linux namespace of a host and the containers they belong to
version_added: 0.1.0
author:
  - The nsfleet.linux authors (@nsfleet)
description:
  - Finds every namespace that is alive on the managed host, tells who keeps it alive and why,
    and tells the containers of the host, whatever engine started them, with what they share with the host
      and with each other.
  - Needs Python on the managed host and nothing else, no engine's API, socket or command line tool, and nothing inside
    the containers.
  - What could not be seen is counted in RV(ansible_facts.namespaces.problems), and does not fail the module.
  - Without root it returns what the kernel shows to the user.
extends_documentation_fragment:
  - nsfleet.linux._attributes
  - nsfleet.linux._attributes.facts
  - nsfleet.linux._attributes.read_only
  - nsfleet.linux._attributes.action_group
  - nsfleet.linux._facts
"""

EXAMPLES = r"""
---
- name: Look at the namespaces and containers of this host
  nsfleet.linux.ns_facts:

- name: Name all containers that share the host's network
  ansible.builtin.debug:
    msg: >-
      {{ ansible_facts.namespaces.containers
      | selectattr('shared_with_host', 'contains', 'net') | map(attribute='name') }}

- name: Find network namespaces that no process is in, and what keeps them alive
  ansible.builtin.debug:
    msg: "{{ item.name }} is kept by {{ item.pins | map(attribute='kind') | join(', ') }}"
  loop: >-
    {{ ansible_facts.namespaces.inventory
    | selectattr('type', 'equalto', 'net') | selectattr('processes', 'equalto', 0) }}
  loop_control:
    label: "{{ item.name }}"

- name: Only containers whose name begins with web, with their labels
  nsfleet.linux.ns_facts:
    containers: ["web*"]
    labels: true
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: always
  type: dict
  contains:
    namespaces:
      description: All of it.
      returned: always
      type: dict
      contains:
        schema_version:
          description: Changes when a key changes its meaning or goes away.
          type: int
          returned: always
        boot_id:
          description: ID of this boot. Process IDs and namespaces of another boot are others.
          type: str
          returned: always
        gathered_at:
          description: When the facts were gathered, in UTC.
          type: str
          returned: always
        kernel:
          description: The kernel.
          type: dict
          returned: always
          contains:
            release:
              description: Its release, as C(uname -r) has it.
              type: str
              returned: always
            features:
              description: Which of the interfaces that were tried the kernel has. One that
                was not needed is not listed.
              type: dict
              returned: always
              sample: {namespace_ids: true, mount_namespace_walk: true, listns: false}
        counts:
          description: How many namespaces of each type there are.
          type: dict
          returned: always
          sample: {mnt: 4, uts: 3, ipc: 3, pid: 3, net: 3, user: 1, cgroup: 3, time: 1}
        own:
          description: The namespaces that the module ran in, by type.
          type: dict
          returned: always
          sample: {net: "net:[4026531833]"}
        host:
          description:
            - The namespaces of process 1 as the module sees it, by type.
            - Where they are unreadable, those of the kernel's threads if the module is in the initial PID
              namespace, else its own.
          type: dict
          returned: always
          sample: {net: "net:[4026531833]"}
        complete:
          description: Whether everything that was asked for was seen, which is when
            RV(ansible_facts.namespaces.problems) is empty.
          type: bool
          returned: always
        problems:
          description: What was not seen.
          type: list
          elements: dict
          returned: always
          contains:
            what:
              description: What was looked at.
              type: str
              returned: always
            reason:
              description: V(vanished), V(timed out), V(truncated), V(refused:) with the errno, or another errno.
              type: str
              returned: always
              sample: "refused: EACCES"
            count:
              description: How many times.
              type: int
              returned: always
        inventory:
          description: Every namespace, ordered by type, the initial one first.
          type: list
          elements: dict
          returned: when O(gather_subset) has V(namespaces)
          contains:
            name:
              description: The kernel's name for it.
              type: str
              returned: always
              sample: net:[4026532184]
            ref:
              description: The name with the kernel's own ID, if it has one. Safe against reuse.
              type: str
              returned: always
              sample: net:[4026532184]#4110
            type:
              description: The type.
              type: str
              returned: always
            inode:
              description: The number in the name.
              type: int
              returned: always
            device:
              description: The device of nsfs. V(null) when it could not be opened.
              type: int
              returned: always
            ns_id:
              description: The kernel's 64-bit ID. V(null) before Linux 6.18 (mount namespaces 6.11).
              type: int
              returned: always
            initial:
              description: Whether the kernel booted with it. V(null) where nobody can tell (net and mnt before Linux
                6.18 without a view of the kernel's threads).
              type: bool
              returned: always
            owner:
              description: The user namespace that owns it. V(null) when that lies above the module's own.
              type: str
              returned: always
            parent:
              description: The parent of a PID or user namespace. V(null) for other types, and the topmost seen.
              type: str
              returned: always
            owner_uid:
              description: User ID of the creator of a user namespace.
              type: int
              returned: always
            processes:
              description: How many processes are in it. V(0) when only something else keeps it alive.
              type: int
              returned: always
            pids:
              description: The processes in it.
              type: list
              elements: int
              returned: when O(processes) is true
              sample: [4242, 4250]
            leader:
              description: The oldest process in it. V(null) when there is none.
              type: dict
              returned: always
              contains:
                pid:
                  description: Its process ID.
                  type: int
                  returned: always
                start_time:
                  description: When it started, in clock ticks since boot.
                  type: int
                  returned: always
                comm:
                  description: Its name.
                  type: str
                  returned: always
                uid:
                  description: Its effective user ID.
                  type: int
                  returned: always
                cmdline:
                  description: Its command line.
                  type: list
                  elements: str
                  returned: when O(cmdline) is true
                  sample: [nginx, -g, daemon off;]
            pins:
              description:
                - Why it is alive.
                - C(process) stands for all its processes and names the leader.
                - C(thread) is a thread that is in it while its process is not.
                - C(pid_for_children) and C(time_for_children) are processes whose next children will be in it.
                - C(descriptor) is an open descriptor of it.
                - C(socket) is a socket that belongs to it, of a process that does not.
                - C(mount) is a bind mount.
                - C(child) stands for all of one type whose parent or owner it is, and names one of them.
              type: list
              elements: dict
              returned: always
              contains:
                kind:
                  description: The kind.
                  type: str
                  returned: always
                count:
                  description: How many the entry stands for. For a C(mount), in how many mount namespaces it is seen.
                  type: int
                  returned: always
                pid:
                  description: The process that holds it, or through which a mount is seen.
                  type: int
                  returned: for all kinds but C(child), and C(mount) when its mount namespace has a process
                tid:
                  description: The thread that holds it.
                  type: int
                  returned: for C(thread), and when the descriptor table or the next children are those of
                    a thread
                comm:
                  description: Name of the process.
                  type: str
                  returned: for all kinds but C(child) and C(mount)
                descriptor:
                  description: Number of the (first) descriptor.
                  type: int
                  returned: for C(descriptor) and C(socket)
                path:
                  description: Where it is mounted.
                  type: str
                  returned: for C(mount)
                mount_namespace:
                  description: The mount namespace in which it is mounted there.
                  type: str
                  returned: for C(mount)
                relation:
                  description: C(parent) or C(owner).
                  type: str
                  returned: for C(child)
                name:
                  description: The other namespace.
                  type: str
                  returned: for C(child)
                  sample: net:[4026532184]
            containers:
              description: IDs of the containers with a process in it.
              type: list
              elements: str
              returned: always
            nsid:
              description: The number by which the module's network namespace knows this one (C(ip netns
                list-id)). V(null) when it has none.
              type: int
              returned: always
        containers:
          description:
            - Every container, ordered by engine and name.
            - A container is a process tree that an engine started. A container inside a container belongs
              to the outer one's entry.
          type: list
          elements: dict
          returned: when O(gather_subset) has V(containers)
          contains:
            id:
              description: The full ID its engine gave it.
              type: str
              returned: always
            name:
              description: Its name. The first 12 characters of the ID when the engine's files could not
                be read.
              type: str
              returned: always
            engine:
              description:
                - Who started it, one of V(docker), V(podman), V(containerd), V(cri), V(crio), V(lxc),
                  V(nspawn), V(runc), V(crun), V(unknown).
                - V(unknown) is a tree in a PID namespace of its own, or in a network and a mount
                  namespace of its own with another root,
                  that is no systemd service.
              type: str
              returned: always
            infra:
              description: Whether it only holds the namespaces of a pod.
              type: bool
              returned: always
            image:
              description: The image, as the engine's files name it.
              type: str
              returned: always
              sample: nginx:1.27
            state:
              description: V(running), V(paused), or V(starting) as long as its own program has not been
                executed.
              type: str
              returned: always
            pid:
              description: Its first process, as the module sees it.
              type: int
              returned: always
            start_time:
              description: When that process started, in clock ticks since boot.
              type: int
              returned: always
            user:
              description: The user as configured with the engine, else the user and group ID of the first
                process.
              type: str
              returned: always
            unit:
              description: The innermost systemd unit of its cgroup.
              type: str
              returned: always
              sample: docker-3f0c4ad5d12b.scope
            pod:
              description: The pod it belongs to. V(null) when it belongs to none.
              type: dict
              returned: always
              contains:
                name:
                  description: The pod's name.
                  type: str
                  returned: always
                namespace:
                  description: The pod's Kubernetes namespace.
                  type: str
                  returned: always
                uid:
                  description: The pod's UID in Kubernetes, or its ID in Podman.
                  type: str
                  returned: always
            labels:
              description: Its labels.
              type: dict
              returned: when O(labels) is true
              sample: {com.docker.compose.project: shop}
            cgroup:
              description: Path of its cgroup.
              type: str
              returned: always
              sample: /system.slice/docker-3f0c4ad5d12b.scope
            capabilities:
              description: The capability sets of the first process, each a list of names.
              type: dict
              returned: always
              sample: {effective: [CAP_CHOWN, CAP_NET_RAW], bounding: [CAP_CHOWN, CAP_NET_RAW], permitted:
                [], inheritable: [], ambient: []}
            seccomp:
              description: V(disabled), V(strict) or V(filter).
              type: str
              returned: always
            no_new_privs:
              description: Whether its programs are kept from gaining privileges.
              type: bool
              returned: always
            lsm:
              description: Its AppArmor profile or SELinux context. V(null) when there is none.
              type: str
              returned: always
              sample: docker-default (enforce)
            namespaces:
              description: Its namespaces, by type.
              type: dict
              returned: always
              sample: {net: "net:[4026532184]", mnt: "mnt:[4026532180]"}
            shared_with_host:
              description: The types of namespaces that it shares with the host.
              type: list
              elements: str
              returned: always
              sample: [user, time]
            shared_with:
              description: IDs of the other containers it shares namespaces with, by type. What all share
                with the host is not repeated here.
              type: dict
              returned: always
              sample: {}
        networks:
          description:
            - What there is in each network namespace, by its name, as links, addresses, routes and sockets.
            - Its keys are those of RV(nsfleet.linux.ns_facts_network#module:ansible_facts.namespaces.networks).
          type: dict
          returned: when O(gather_subset) has V(network)
          sample: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nsfleet.linux.plugins.module_utils._facts import facts_for
from ansible_collections.nsfleet.linux.plugins.module_utils._options import facts_options


def main() -> None:
    module = AnsibleModule(argument_spec=facts_options(["namespaces", "containers"]), supports_check_mode=True)
    try:
        module.exit_json(ansible_facts={"namespaces": facts_for(module.params)})
    except ValueError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
