#!/usr/bin/python

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ns_facts_network
short_description: The same as ns_facts, with what there is in each network namespace
version_added: 0.1.0
author:
  - The nsfleet.linux authors (@nsfleet)
description:
  - M(nsfleet.linux.ns_facts) runs it when its O(nsfleet.linux.ns_facts#module:gather_subset) has V(network).
    There is no need to name it in a task.
  - It is a module of its own so that the code for networks travels only to the hosts where they are asked for.
  - To have networks among the facts that a play gathers by itself, name it in C(ansible_facts_modules).
  - Every network namespace is entered and asked over netlink. No program is run, no kernel module is loaded by
    asking,
    and nothing is changed.
  - Who may not enter a namespace gets the rest, and finds in
    RV(nsfleet.linux.ns_facts#module:ansible_facts.namespaces.problems)
    what is missing. An ordinary user may enter those that belong to their own user namespaces.
extends_documentation_fragment:
  - nsfleet.linux._attributes
  - nsfleet.linux._attributes.facts
  - nsfleet.linux._attributes.read_only
  - nsfleet.linux._attributes.action_group
  - nsfleet.linux._facts
options:
  gather_subset:
    default: [namespaces, containers, network]
seealso:
  - module: nsfleet.linux.ns_facts
notes:
  - O(max_entries) counts for each list of each network. The default routes are there in any case.
"""

EXAMPLES = r"""
---
- name: Gather the usual facts, and with them namespaces, containers and networks
  hosts: all
  vars:
    ansible_facts_modules: [ansible.builtin.setup, nsfleet.linux.ns_facts_network]
  tasks:
    - name: What listens in the networks of containers
      ansible.builtin.debug:
        msg: "{{ item.value.listening }}"
      loop: "{{ ansible_facts.namespaces.networks | dict2items }}"
      loop_control:
        label: "{{ item.key }}"
"""

RETURN = r"""
ansible_facts:
  description: The facts, under one key.
  returned: always
  type: dict
  contains:
    namespaces:
      description: The facts of M(nsfleet.linux.ns_facts), and one key more.
      returned: always
      type: dict
      contains:
        networks:
          description: What there is in each network namespace, by its name.
          type: dict
          returned: when O(gather_subset) has V(network)
          contains:
            NAME:
              description: One network namespace; its name is the key, as C(net:[4026531833]).
              type: dict
              returned: always
              contains:
                links:
                  description: Network interfaces.
                  type: list
                  elements: dict
                  returned: always
                  contains:
                    name:
                      description: Name.
                      type: str
                      returned: always
                    index:
                      description: Index.
                      type: int
                      returned: always
                    kind:
                      description: Kind as the kernel names it, as V(veth), else V(loopback) or V(physical).
                      type: str
                      returned: always
                    state:
                      description: Operational state, as V(up), V(down), V(lowerlayerdown), V(unknown).
                      type: str
                      returned: always
                    flags:
                      description: Flags, as V(UP), V(LOWER_UP), V(PROMISC).
                      type: list
                      elements: str
                      returned: always
                    mtu:
                      description: Largest packet, in bytes.
                      type: int
                      returned: always
                    mac:
                      description: Hardware address. V(null) where it has none, or an IP address in its
                        place, as tunnels have.
                      type: str
                      returned: always
                    master:
                      description: The bridge, bond, team or VRF it is a port of.
                      type: str
                      returned: always
                    altnames:
                      description: Other names.
                      type: list
                      elements: str
                      returned: always
                    details:
                      description: What is particular to the kind. C(port) is its state as a port, C(ports) are
                        those of a bridge, C(lower) is what it lies upon, C(processes) serve a tun link.
                      type: dict
                      returned: always
                      sample: {id: 100, protocol: 802.1Q}
                    peer:
                      description: The other end of a veth, vxcan or netkit. V(null) for other kinds.
                      type: dict
                      returned: always
                      contains:
                        network:
                          description: Name of the network namespace. V(null) when it was not seen.
                          type: str
                          returned: always
                        name:
                          description: Name of the link there.
                          type: str
                          returned: always
                        container:
                          description: ID of the oldest container there. V(null) for the host's network and
                            where there is none.
                          type: str
                          returned: always
                addresses:
                  description: IP addresses.
                  type: list
                  elements: dict
                  returned: always
                  contains:
                    family:
                      description: V(inet) or V(inet6).
                      type: str
                      returned: always
                    address:
                      description: Address.
                      type: str
                      returned: always
                    prefix:
                      description: Length of the prefix.
                      type: int
                      returned: always
                    link:
                      description: Its link.
                      type: str
                      returned: always
                    scope:
                      description: Scope.
                      type: str
                      returned: always
                    flags:
                      description: Flags, as V(permanent), V(tentative), V(dadfailed).
                      type: list
                      elements: str
                      returned: always
                routes:
                  description: Routes of all tables, and exceptions (flag V(cache)) that path MTU discovery and
                    redirects made.
                  type: list
                  elements: dict
                  returned: always
                  contains:
                    family:
                      description: V(inet) or V(inet6).
                      type: str
                      returned: always
                    type:
                      description: Type, as V(unicast), V(local), V(blackhole).
                      type: str
                      returned: always
                    destination:
                      description: V(default) or a prefix.
                      type: str
                      returned: always
                    from:
                      description: Prefix of sources it is for. V(null) is all.
                      type: str
                      returned: always
                    gateway:
                      description: Next hop. V(null) where the destination is on the link, or there are
                        several ways.
                      type: str
                      returned: always
                    link:
                      description: Link it leaves by.
                      type: str
                      returned: always
                    table:
                      description: V(main), V(local), V(default) or a number.
                      type: str
                      returned: always
                    protocol:
                      description: Who made it, as V(kernel), V(static), V(ra).
                      type: str
                      returned: always
                    scope:
                      description: Scope.
                      type: str
                      returned: always
                    metric:
                      description: Metric.
                      type: int
                      returned: always
                    source:
                      description: Preferred source address.
                      type: str
                      returned: always
                    mtu:
                      description: MTU of the route.
                      type: int
                      returned: always
                    metrics:
                      description: Other metrics.
                      type: dict
                      returned: always
                      sample: {advmss: 1400}
                    flags:
                      description: Flags, as V(onlink), V(dead), V(linkdown).
                      type: list
                      elements: str
                      returned: always
                    nexthop_id:
                      description: ID of its nexthop object.
                      type: int
                      returned: always
                    nexthops:
                      description: Its ways, where there are several.
                      type: list
                      elements: dict
                      returned: always
                      contains:
                        gateway:
                          description: Next hop.
                          type: str
                          returned: always
                        link:
                          description: Link.
                          type: str
                          returned: always
                        weight:
                          description: Weight.
                          type: int
                          returned: always
                        flags:
                          description: Flags.
                          type: list
                          elements: str
                          returned: always
                    expires:
                      description: Seconds it has left. V(null) for ever.
                      type: int
                      returned: always
                rules:
                  description: Routing rules.
                  type: list
                  elements: dict
                  returned: always
                  contains:
                    family:
                      description: V(inet) or V(inet6).
                      type: str
                      returned: always
                    priority:
                      description: Priority.
                      type: int
                      returned: always
                    from:
                      description: Source prefix. V(null) is all.
                      type: str
                      returned: always
                    to:
                      description: Destination prefix. V(null) is all.
                      type: str
                      returned: always
                    iif:
                      description: Link it came in by.
                      type: str
                      returned: always
                    oif:
                      description: Link it is bound to.
                      type: str
                      returned: always
                    fwmark:
                      description: Mark and mask.
                      type: str
                      returned: always
                    table:
                      description: Table that is looked up. V(null) for other actions, and where the link's
                        VRF says which.
                      type: str
                      returned: always
                    action:
                      description: Action, as V(lookup), V(blackhole).
                      type: str
                      returned: always
                    details:
                      description: What else must hold or is set. C(unknown) are numbers of attributes newer
                        than this module.
                      type: dict
                      returned: always
                      sample: {ipproto: tcp}
                neighbours:
                  description: Neighbours (ARP, NDP), and forwarding databases of bridges (family V(bridge)).
                  type: list
                  elements: dict
                  returned: always
                  contains:
                    family:
                      description: V(inet), V(inet6) or V(bridge).
                      type: str
                      returned: always
                    address:
                      description: Address, or the remote end of a VXLAN.
                      type: str
                      returned: always
                    mac:
                      description: Hardware address.
                      type: str
                      returned: always
                    link:
                      description: Link.
                      type: str
                      returned: always
                    state:
                      description: State, as V(reachable), V(failed), V(permanent).
                      type: str
                      returned: always
                    flags:
                      description: Flags, as V(proxy), V(router).
                      type: list
                      elements: str
                      returned: always
                    vlan:
                      description: VLAN.
                      type: int
                      returned: always
                listening:
                  description: Sockets that wait for what others send.
                  type: list
                  elements: dict
                  returned: always
                  contains:
                    protocol:
                      description: V(tcp), V(udp), V(raw), V(packet) or V(unix).
                      type: str
                      returned: always
                    address:
                      description: Local address; C(0.0.0.0) and C(::) are all. V(null) for V(packet) and
                        V(unix).
                      type: str
                      returned: always
                    port:
                      description: Port; the protocol's number for V(raw).
                      type: int
                      returned: always
                    path:
                      description: Path, or C(@) and an abstract name, for V(unix).
                      type: str
                      returned: always
                    link:
                      description: Link it is bound to.
                      type: str
                      returned: always
                    queue:
                      description: What waits in it, connections for V(tcp) and V(unix), else bytes. V(null)
                        when not known.
                      type: int
                      returned: always
                    limit:
                      description: How many connections may wait, for V(tcp) and V(unix). V(null) when not
                        known.
                      type: int
                      returned: always
                    details:
                      description: What is particular to the protocol, as C(v6only), C(type), C(ethertype).
                      type: dict
                      returned: always
                      sample: {v6only: true}
                    inode:
                      description: Its inode, which is the number in C(/proc/PID/fd). V(0) for the kernel's own.
                      type: int
                      returned: always
                    processes:
                      description: The processes that have it open. Known with V(descriptors) or V(sockets)
                        in O(scan), and with the right to see.
                      type: list
                      elements: dict
                      returned: always
                      contains:
                        pid:
                          description: Process ID.
                          type: int
                          returned: always
                        comm:
                          description: Name of the process.
                          type: str
                          returned: always
                        container:
                          description: ID of the container the process belongs to.
                          type: str
                          returned: always
                sockets:
                  description: How many sockets there are, by protocol and state.
                  type: dict
                  returned: always
                  sample: {tcp: {listening: 2, established: 5}}
                dns:
                  description: What the files of those who live there say. V(null) where nobody does, or they
                    could not be read.
                  type: dict
                  returned: always
                  contains:
                    nameservers:
                      description: Of C(/etc/resolv.conf).
                      type: list
                      elements: str
                      returned: always
                    search:
                      description: Of C(/etc/resolv.conf).
                      type: list
                      elements: str
                      returned: always
                    options:
                      description: Of C(/etc/resolv.conf).
                      type: list
                      elements: str
                      returned: always
                    hosts:
                      description: Lines of C(/etc/hosts).
                      type: list
                      elements: dict
                      returned: always
                      contains:
                        address:
                          description: Address.
                          type: str
                          returned: always
                        names:
                          description: Names.
                          type: list
                          elements: str
                          returned: always
                    hostname:
                      description: Of C(/etc/hostname).
                      type: str
                      returned: always
                sysctls:
                  description: Settings of the kernel, by name as sysctl(8) has it. What is no number is text.
                  type: dict
                  returned: always
                  sample: {net.ipv4.ip_forward: 1}
                firewall:
                  description: Packet filter. V(null) when it was refused.
                  type: dict
                  returned: always
                  contains:
                    generation:
                      description: A number that grows with each change of the nftables rules. V(null) when
                        nf_tables was not asked.
                      type: int
                      returned: always
                    tables:
                      description: Tables of nftables, with their chains and what leads from one to the other.
                      type: list
                      elements: dict
                      returned: always
                      sample: []
                    rules:
                      description: How many rules of nftables there are.
                      type: int
                      returned: always
                    decoded:
                      description: Rules of nftables that translate, redirect, drop, reject or queue.
                      type: list
                      elements: dict
                      returned: always
                      sample: []
                    legacy:
                      description: Names of the tables of iptables-legacy and the like, by family. Their
                        rules are not read.
                      type: dict
                      returned: always
                      sample: {ip: [nat, filter]}
                    conntrack:
                      description: Tracked connections, C(count) of at most C(max).
                      type: dict
                      returned: always
                      sample: {count: 12, max: 65536}
                published:
                  description: Ports of this network that lead to a container.
                  type: list
                  elements: dict
                  returned: always
                  contains:
                    protocol:
                      description: Protocol.
                      type: str
                      returned: always
                    host_address:
                      description: Address here; C(0.0.0.0) and C(::) are all.
                      type: str
                      returned: always
                    host_port:
                      description: Port here.
                      type: int
                      returned: always
                    container:
                      description: ID of the container. V(null) when it leads to an address of no known one.
                      type: str
                      returned: always
                    address:
                      description: Address there. V(null) when not known.
                      type: str
                      returned: always
                    port:
                      description: Port there. V(null) when the kernel takes one of several.
                      type: int
                      returned: always
                    proved_by:
                      description: What says so, as V(nftables), V(docker-proxy (pid 4711\)), or the name of
                        the engine.
                      type: list
                      elements: str
                      returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nsfleet.linux.plugins.module_utils._facts import facts_for
from ansible_collections.nsfleet.linux.plugins.module_utils._facts_network import gather_networks
from ansible_collections.nsfleet.linux.plugins.module_utils._options import facts_options


def main() -> None:
    module = AnsibleModule(argument_spec=facts_options(), supports_check_mode=True)
    try:
        module.exit_json(ansible_facts={"namespaces": facts_for(module.params, gather_networks)})
    except ValueError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
