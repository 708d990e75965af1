# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

from __future__ import annotations


class ModuleDocFragment:
    # What is entered, and which of its namespaces.
    DOCUMENTATION = r"""
options:
  container:
    description:
      - A running container, of any engine. No engine is asked, and none has to answer.
      - Its name, its full ID, the beginning of its ID (four or more hexadecimal digits), C(engine:name),
        C(pod/container), or C(namespace/pod/container), tried in this order. If more than one container is meant,
        the task fails and lists them.
      - A pod's own container, C(POD) in Kubernetes, can be named as well.
      - A paused container is refused.
    type: str
  pid:
    description:
      - A process, as the managed host numbers it.
    type: int
  start_time:
    description:
      - When the process O(pid) was started, in clock ticks since boot, as M(nsfleet.linux.ns_facts) returns it.
      - If O(pid) is another process by now, it is refused.
    type: int
  netns:
    description:
      - The name of a network namespace, as C(ip netns list) shows it, which is a file in C(/run/netns).
    type: str
  path:
    description:
      - A file that is a namespace, such as C(/proc/4711/ns/net), or one that a namespace is mounted on.
    type: path
  ref:
    description:
      - A namespace as M(nsfleet.linux.ns_facts) names it, for example C(net:[4026532184]) or
        C(net:[4026532184]#4711). It is found also if no process is in it.
      - With the number after C(#), which Linux 6.18 and newer give, it is the same namespace or none. Without, the
        kernel may have given the inode to another namespace meanwhile, which the result says as C(inode only).
    type: str
  name:
    description:
      - Namespaces that mounts keep under a name, which are the files in C(/run/nsfleet/NAME), and
        C(/run/netns/NAME).
    type: str
  namespaces:
    description:
      - Types of namespaces to join.
      - V(all) is every type in which the target differs from the module's own process. It stands alone.
      - A type that is listed and in which the target is where the host is, or where the module is, is refused, unless
        it is in O(allow_host) too. A target that differs in nothing is refused. So nothing runs on the
        host that was meant for a container.
      - O(netns), O(path), and O(ref) name one namespace. There, only V(all) and its type can be given.
    type: list
    elements: str
    choices: [all, mnt, uts, ipc, pid, net, user, cgroup, time]
    default: [all]
    aliases: [types]
  allow_host:
    description:
      - Types that may be the host's. One that is the module's own is then left out, one that is the host's but not the
        module's own is joined.
    type: list
    elements: str
    choices: [mnt, uts, ipc, pid, net, user, cgroup, time]
    default: []
"""
