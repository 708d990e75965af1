#!/usr/bin/python

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ns_exec
short_description: Run a command in the namespaces of one or many containers
version_added: 0.1.0
author:
  - The nsfleet.linux authors (@nsfleet)
description:
  - Runs a command inside of containers, or, with O(namespaces=net), the host's own tools in their networks.
  - Works with the containers of any engine (Docker, Podman, containerd and Kubernetes, CRI-O, LXC, systemd-nspawn,
    runc,
    and processes in namespaces that no engine made), and with processes, C(ip netns) names, and namespaces without
    any
    process. On the managed host it needs Python and the kernel, and nothing inside of the containers.
  - Says truthfully whether the state inside of the namespaces that were joined has changed. What cannot be proved
    unchanged is changed, with the reason in RV(unproven).
  - What runs in a container has no more rights than the container has, unless O(privileges=host) is given.
extends_documentation_fragment:
  - nsfleet.linux._attributes
  - nsfleet.linux._attributes.action_group
  - nsfleet.linux._target
attributes:
  check_mode:
    support: partial
    details:
      - With O(read_only=true) the command runs, if this kernel has all that proves that nothing can change.
      - Otherwise O(creates), O(removes), O(unless), and O(onlyif) are looked at, and the command does not run.
  diff_mode:
    support: full
    details:
      - What was there before and after, one line for each object that differs.
  idempotent:
    support: partial
    details:
      - As far as the command is. Use O(creates), O(removes), O(unless), or O(onlyif).
options:
  containers:
    description:
      - Many targets, by names, IDs, and other forms of O(container), by patterns with C(*), C(?), and C([...]), or
        V(all).
      - V(all) is every running container of a known engine, but no pod's own ones.
      - A pattern may match nothing, which is said in RV(msg). A name that names nothing is a target that failed, and
        so is a container whose namespaces cannot be read.
      - Containers that share all namespaces that are joined are one target, unless O(each=true).
      - What would run on the host is left out, see RV(left_out).
    type: list
    elements: str
  engine:
    description:
      - Only containers of these engines. Without O(containers), all of them.
    type: list
    elements: str
    choices: [docker, podman, containerd, cri, crio, lxc, nspawn, runc, crun, unknown]
  labels:
    description:
      - Only containers with these labels, as a dictionary, or as a list of C(key=value) and C(key).
      - Without O(containers), all of them.
    type: raw
  each:
    description:
      - Run once for each container, even if some share all namespaces that are joined.
    type: bool
    default: false
  forks:
    description:
      - How many targets are worked on at once.
    type: int
    default: 8
  cmd:
    description:
      - The command with its arguments, taken apart as a shell would, but not run by one. For pipes there is O(shell).
      - One of O(cmd) and O(argv) is required. There is no free form as M(ansible.builtin.command) has it.
    type: str
  argv:
    description:
      - The command as a list.
    type: list
    elements: str
  shell:
    description:
      - Give O(cmd) to a shell, O(executable) or C(/bin/sh).
    type: bool
    default: false
  executable:
    description:
      - The shell for O(shell=true), by its path.
    type: str
  chdir:
    description:
      - The folder to be in, as the command sees it.
    type: str
  creates:
    description:
      - A file name or a pattern. If it exists, there is nothing to do.
      - It is looked up where the command would run, by a process that has joined the same mount namespace and has
        the same rights.
    type: str
  removes:
    description:
      - A file name or a pattern. If it does not exist, there is nothing to do.
    type: str
  unless:
    description:
      - A command that tells whether there is nothing to do. 0 is yes, 1 is no. Anything else fails the task,
        because who could not look has not seen a no.
      - A list is taken as it is.
      - A guard cannot write. One that tries to is refused by the kernel, and most programs then end with 1, which is
        a no.
      - It is taken apart like O(cmd), and runs like the command, but with the rights of O(read_only) and
        C(CAP_NET_ADMIN).
        If it changes something, the task fails.
    type: raw
  onlyif:
    description:
      - A command that tells whether there is something to do, like O(unless), with 0 for yes and 1 for no.
    type: raw
  stdin:
    description:
      - What the command reads.
    type: str
  stdin_add_newline:
    description:
      - Add a newline to O(stdin).
    type: bool
    default: true
  strip_empty_ends:
    description:
      - Take empty lines away from the end of what the command prints.
    type: bool
    default: true
  expand_argument_vars:
    description:
      - Expand C($NAME) and C(~) in the arguments, from the environment that the command will have.
    type: bool
    default: true
  env:
    description:
      - Variables to add to the environment.
      - The task's C(environment) keyword goes to the module, and to the command only if O(environment_from=host).
    type: dict
  environment_from:
    description:
      - Where the environment comes from, C(host) for the module's own, C(target) for that of the container's first
        process.
      - By default V(target) if C(mnt) is joined, and V(host) if not.
      - V(target) without C(mnt) is refused unless O(trusted=true), since the container could have the host's
        programs load its files.
    type: str
    choices: [host, target, none]
  user:
    description:
      - The user, by name or number, or C(user:group). Looked up in the container if C(mnt) is joined.
    type: str
  group:
    description:
      - The group, by name or number.
    type: str
  umask:
    description:
      - The file mode creation mask, in octal.
    type: raw
  timeout:
    description:
      - After so many seconds everything that the command has started is ended, with C(SIGTERM), and after
        O(timeout_grace)
        with C(SIGKILL). 0 is no limit.
      - By default there is no limit for one target, and V(60) for many.
    type: float
  timeout_grace:
    description:
      - Seconds between the two signals.
    type: float
    default: 2
  timeout_ok:
    description:
      - A command that was ended by its timeout has not failed, as for a packet capture.
    type: bool
    default: false
  max_output:
    description:
      - Bytes of standard output, and of standard error, that are returned. What is beyond is taken and counted.
      - All targets together return 4 MiB at most.
    type: int
    default: 1048576
  container_dns:
    description:
      - Without C(mnt), let the command see the container's C(/etc/resolv.conf) and C(/etc/hosts) instead of the
        host's.
    type: bool
    default: false
  read_only:
    description:
      - The command may look and can change nothing. All mounts are read-only (with private ones for temporary and
        lock files), and
        nearly all rights are gone.
      - If this kernel has all that it takes, C(changed) is proved to be V(false), and check mode runs the command.
        If not,
        RV(unproven) names what is missing.
    type: bool
    default: false
  track:
    description:
      - Which types of state are compared, before and after. V(auto) is those that are joined, V(none) is none.
    type: list
    elements: str
    choices: [auto, none, mnt, uts, ipc, pid, net]
    default: [auto]
  report_change:
    description:
      - V(state) reports what was found. V(always) and V(never) are for effects that lie elsewhere, in files of the
        host, in
        processes that got a signal, or in other systems.
    type: str
    choices: [state, always, never]
    default: state
  privileges:
    description:
      - V(target) gives the command what C(docker exec) gives, which is the container's cgroup, user, groups,
        capabilities, seccomp
        filters, security label, and limits.
      - V(host) gives it the module's own rights, as C(nsenter) does. With C(mnt) that is dangerous, because the
        program is the
        container's file.
      - V(auto) is V(target) if C(mnt) is joined, and V(host) if the host's files are kept.
    type: str
    choices: [auto, target, host]
    default: auto
  trusted:
    description:
      - Join C(pid) without C(mnt) even if a process in there may trace others (C(CAP_SYS_PTRACE)), and so could get
        at the host's files by way of the command.
      - Take the environment of the container (O(environment_from=target)) for the host's programs.
    type: bool
    default: false
seealso:
  - module: nsfleet.linux.ns_facts
  - module: ansible.builtin.command
notes:
  - If C(net) is joined and C(mnt) is not, the command has a mount namespace of its own with that network's C(/sys),
    and for O(netns) with
    C(/etc/netns/NAME) over C(/etc). Mounts that it makes there are lost, which is said as a warning.
  - If C(pid) is joined and C(mnt) is not, it sees a C(/proc) of that namespace.
"""

EXAMPLES = r"""
---
- name: What listens in the network of the container web, with the host's ss
  nsfleet.linux.ns_exec:
    container: web
    namespaces: [net]
    cmd: ss -ntlp

- name: Look into every container, provably without changing anything
  nsfleet.linux.ns_exec:
    containers: all
    read_only: true
    cmd: cat /etc/os-release

- name: Make sure of a route in the network of a container, with the host's ip
  nsfleet.linux.ns_exec:
    container: web
    namespaces: [net]
    cmd: ip route replace 10.9.0.0/16 via 172.17.0.1

- name: Add a firewall rule once
  nsfleet.linux.ns_exec:
    container: docker:web
    namespaces: [net]
    unless: iptables -C INPUT -p tcp --dport 8080 -j DROP
    cmd: iptables -A INPUT -p tcp --dport 8080 -j DROP

- name: Capture packets for ten seconds
  nsfleet.linux.ns_exec:
    container: web
    namespaces: [net]
    cmd: tcpdump -ni eth0 -w /var/tmp/web.pcap
    timeout: 10
    timeout_ok: true
    report_change: always

- name: Reload every nginx of a Kubernetes namespace
  nsfleet.linux.ns_exec:
    containers: ["shop/*/nginx"]
    cmd: nginx -s reload
    report_change: always

- name: Run a program of the host in a network that has a name
  nsfleet.linux.ns_exec:
    netns: blue
    cmd: curl -sS http://10.0.0.1/
"""

RETURN = r"""
cmd:
  description: What was run, as a list, or the line that a shell was given.
  returned: always
  type: raw
  sample: [ss, -ntlp]
rc:
  description:
    - The status it ended with, or V(-9) for signal 9.
    - V(0) when there was nothing to do, and V(null) when it was not run.
  returned: always
  type: int
  sample: 0
stdout:
  description: What it printed. Bytes that are not UTF-8 are replaced.
  returned: always
  type: str
stderr:
  description: What it printed as errors.
  returned: always
  type: str
start:
  description: When it was started.
  returned: when the command was run
  type: str
  sample: "2026-11-22 10:15:02.042113"
end:
  description: When it had ended.
  returned: when the command was run
  type: str
  sample: "2026-11-22 10:15:02.055812"
delta:
  description: How long it took.
  returned: when the command was run
  type: str
  sample: "0:00:00.013699"
msg:
  description: What is to be said about it, empty if there is nothing.
  returned: always
  type: str
target:
  description: What was entered.
  returned: always
  type: dict
  contains:
    container:
      description: Name of the container, or what was given instead of one.
      type: str
      returned: always
    id:
      description: ID of the container. V(null) if it is none.
      type: str
      returned: always
    pid:
      description: The process whose namespaces were joined. V(null) if there is none.
      type: int
      returned: always
    start_time:
      description: When that was started, in clock ticks since boot.
      type: int
      returned: always
    also:
      description:
        - IDs of other containers for which this is the result as well, because they share all namespaces that were
          joined.
      type: list
      elements: str
      returned: when there are many targets
namespaces:
  description: What was joined, by type.
  returned: always
  type: dict
  sample: {net: "net:[4026532184]"}
unproven:
  description: Why it is not proved that nothing has changed, or that the target is the one that was meant.
  returned: always
  type: list
  elements: str
  sample: []
diff:
  description: What differs, one line for each object.
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
  sample: {before: "", after: "route 10.9.0.0/16 via 172.17.0.1 dev eth0\n"}
left:
  description:
    - Processes that the command has started and that still run. One that has joined a network keeps it alive.
  returned: always
  type: list
  elements: dict
  contains:
    pid:
      description: Its number on the managed host.
      type: int
      returned: always
    start_time:
      description: When it was started, in clock ticks since boot.
      type: int
      returned: always
    comm:
      description: Its name.
      type: str
      returned: always
truncated:
  description: How many bytes of the output were left out.
  returned: always
  type: dict
  contains:
    stdout:
      description: Of standard output.
      type: int
      returned: always
    stderr:
      description: Of standard error.
      type: int
      returned: always
  sample: {stdout: 0, stderr: 0}
targets:
  description:
    - The results of many targets, in the order of their names. Each has the keys above, C(changed), C(failed), and
      C(skipped).
    - Then the task's own result has only this, RV(left_out), RV(msg), and whether anything has changed or failed.
  returned: with O(containers), O(engine), or O(labels)
  type: list
  elements: dict
left_out:
  description: Containers in which the command did not run.
  returned: with O(containers), O(engine), or O(labels)
  type: list
  elements: dict
  contains:
    container:
      description: Its name.
      type: str
      returned: always
    reason:
      description: Why it was left out.
      type: str
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nsfleet.linux.plugins.module_utils._compiled_once import compile_once
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.options import (
    SELECTORS,
    TARGET_REQUIRED_BY,
    command_options,
    many_options,
    target_options,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={**target_options(), **many_options(), **command_options()},
        # Which selectors exclude each other depends on whether there are many: the task says.
        mutually_exclusive=[SELECTORS, ("cmd", "argv")],
        required_one_of=[("cmd", "argv")],
        required_by=TARGET_REQUIRED_BY,
        supports_check_mode=True,
    )
    # What follows is many files.
    compile_once()
    from ansible_collections.nsfleet.linux.plugins.module_utils._enter.task import run_task

    result = run_task(module.params, module.check_mode)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    # Said, or Ansible would take any rc but 0 for a failure: that of a capture that was ended, or of what was not run.
    module.exit_json(failed=False, **result)


if __name__ == "__main__":
    main()
