#!/usr/bin/python

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ns_unshare
short_description: Run a command in new namespaces
version_added: 0.1.0
author:
  - The nsfleet.linux authors (@nsfleet)
description:
  - Makes namespaces of any of the eight types, furnishes them, and runs a command in them, as C(unshare) of util-linux
    does, with what its newest release can do, whatever the managed host has installed.
  - The namespaces end with the last process that is in them. M(nsfleet.linux.ns_persist) keeps namespaces under a name.
  - Whoever may make user namespaces needs no other rights, if C(user) is among O(namespaces).
extends_documentation_fragment:
  - nsfleet.linux._attributes
  - nsfleet.linux._attributes.action_group
  - nsfleet.linux._command
attributes:
  check_mode:
    support: partial
    details:
      - O(creates), O(removes), O(unless), and O(onlyif) are looked at, and the command does not run.
  diff_mode:
    support: none
    details:
      - All that the command changes in new namespaces was not there before.
  idempotent:
    support: partial
    details:
      - As far as the command is. Use O(creates), O(removes), O(unless), or O(onlyif).
options:
  namespaces:
    description:
      - The types to make.
      - Nothing is implied. An option that needs a type which is not listed is refused.
      - C(user) is made first, so that it owns the others.
    type: list
    elements: str
    choices: [mnt, uts, ipc, pid, net, user, cgroup, time]
    required: true
    aliases: [types]
  map_root_user:
    description:
      - In the new user namespace the caller is root, and so is the caller's group.
      - Without a map of users the caller is mapped so too, and without a map of groups the caller's group.
    type: bool
    default: false
  map_current_user:
    description:
      - In the new user namespace the caller is who they are outside.
      - A program that a user other than root executes has no capabilities.
    type: bool
    default: false
  map_users:
    description:
      - Ranges of user IDs, as C(inner:outer:count).
      - V(auto) is the first range that C(/etc/subuid) delegates to the caller, with 0 as its first ID inside.
      - With O(map_root_user) or O(map_current_user) as well, the caller's ID takes its place in a range, whose IDs move
        up by one.
      - Who is not root may map IDs that are delegated to them. That takes C(newuidmap) and C(newgidmap) on the managed
        host.
    type: list
    elements: str
  map_groups:
    description:
      - The same for group IDs, with C(/etc/subgid).
    type: list
    elements: str
  setgroups:
    description:
      - Whether processes in the new user namespace may change their supplementary groups.
      - A caller who is not root and maps nothing but their own group needs V(deny), which then is the default.
    type: str
    choices: [allow, deny]
  hostname:
    description:
      - Name of the host in the new UTS namespace.
    type: str
  domainname:
    description:
      - NIS domain name in the new UTS namespace.
    type: str
  propagation:
    description:
      - How mounts and unmounts travel between the new mount namespace and the old one, for all mounts in it.
      - V(private) not at all, V(slave) from the old one into the new one, V(shared) both ways, V(unchanged) as each
        mount has it.
      - The default is V(private).
    type: str
    choices: [private, slave, shared, unchanged]
  mount_proc:
    description:
      - Mount a new C(/proc) in the new mount namespace. With a new pid namespace it shows the processes of that one.
    type: bool
    default: false
  root:
    description:
      - A folder that is to be the command's root directory.
      - The program, O(chdir), O(creates), O(removes), and O(user) are then looked up below it.
    type: path
  loopback:
    description:
      - Bring C(lo) up in the new network namespace.
    type: bool
    default: false
  monotonic_offset:
    description:
      - Seconds by which C(CLOCK_MONOTONIC) is ahead in the new time namespace. May be negative.
    type: int
  boottime_offset:
    description:
      - Seconds by which C(CLOCK_BOOTTIME) is ahead in the new time namespace, and with it what C(uptime) says.
    type: int
  init:
    description:
      - In the new pid namespace, process 1 is an init that reaps orphans and passes signals on to the command.
      - It ends with the command. If a signal has ended the command, RV(rc) is 128 and the signal's number.
      - Without it the command itself is process 1. Orphans come to it, and of the signals sent to it the kernel drops
        those that it does not handle, except C(SIGKILL) and C(SIGSTOP).
    type: bool
    default: false
  detach:
    description:
      - Do not wait. The command goes on when the task has ended, with a session of its own and in a cgroup outside of
        the login.
      - What RV(pid) is was executed with success by then.
    type: bool
    default: false
  log:
    description:
      - With O(detach), the file to which standard output and standard error are added. It is made with mode 0600.
      - By default they go to C(/dev/null).
    type: path
  creates:
    description:
      - A file name or a pattern. If it exists, there is nothing to do.
      - It is looked up before anything is made, below O(root) if that is given.
    type: str
  unless:
    description:
      - A command that tells whether there is nothing to do. 0 is yes, 1 is no. Anything else fails the task,
        because who could not look has not seen a no. A list is taken as it is.
      - It runs where the module runs, before anything is made, below O(root) if that is given, and with the rights of
        O(nsfleet.linux.ns_exec#module:read_only), so that it can change nothing.
    type: raw
  env:
    description:
      - Variables to add to the environment.
    type: dict
  environment_from:
    description:
      - Where the environment comes from, V(host) for the module's own, V(none) for an empty one with a C(PATH).
    type: str
    choices: [host, none]
    default: host
  user:
    description:
      - The user, by name or number, or C(user:group).
      - In a new user namespace that is a user inside, and must be mapped.
    type: str
  timeout:
    description:
      - After so many seconds everything that the command has started is ended, with C(SIGTERM), and after
        O(timeout_grace) with C(SIGKILL). 0 is no limit, and the default.
    type: float
  max_output:
    description:
      - Bytes of standard output, and of standard error, that are returned. What is beyond is taken and counted.
    type: int
    default: 1048576
  report_change:
    description:
      - A command that ran is a change, which V(state) and V(always) report. V(never) does not.
    type: str
    choices: [state, always, never]
    default: state
seealso:
  - module: nsfleet.linux.ns_persist
  - module: nsfleet.linux.ns_exec
notes:
  - The command ends with the task, however that ends, unless O(detach=true).
"""

EXAMPLES = r"""
---
- name: Try out rules of a firewall in a network that nobody else has
  nsfleet.linux.ns_unshare:
    namespaces: [net]
    loopback: true
    cmd: nft -f /etc/nftables.conf

- name: Build as root of a user namespace, without being root
  nsfleet.linux.ns_unshare:
    namespaces: [user, mnt, pid]
    map_root_user: true
    map_users: [auto]
    map_groups: [auto]
    mount_proc: true
    cmd: ./build.sh
    chdir: /home/ci/project
    creates: /home/ci/project/image.tar

- name: Run a program of another root directory, with processes and a name of its own
  nsfleet.linux.ns_unshare:
    namespaces: [mnt, pid, uts]
    root: /srv/bookworm
    mount_proc: true
    hostname: bookworm
    init: true
    cmd: apt-get update

- name: Start a test server in a network of its own, and leave it running
  nsfleet.linux.ns_unshare:
    namespaces: [net, pid]
    loopback: true
    detach: true
    log: /var/log/test-server.log
    cmd: /usr/local/bin/test-server
  register: server

- name: Ask it
  nsfleet.linux.ns_exec:
    pid: "{{ server.pid }}"
    start_time: "{{ server.start_time }}"
    namespaces: [net]
    cmd: curl -sS http://127.0.0.1/

- name: See what a program does a year from now
  nsfleet.linux.ns_unshare:
    namespaces: [time]
    boottime_offset: 31536000
    cmd: uptime
"""

RETURN = r"""
cmd:
  description: What was run, as a list, or the line that a shell was given.
  returned: always
  type: raw
  sample: [nft, -f, /etc/nftables.conf]
rc:
  description:
    - The status it ended with, or V(-9) for signal 9.
    - V(0) when there was nothing to do, and V(null) when it was not run, or not waited for.
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
  returned: when the command was waited for
  type: str
  sample: "2026-11-28 10:15:02.042113"
end:
  description: When it had ended.
  returned: when the command was waited for
  type: str
  sample: "2026-11-28 10:15:02.055812"
delta:
  description: How long it took.
  returned: when the command was waited for
  type: str
  sample: "0:00:00.013699"
msg:
  description: What is to be said about it, empty if there is nothing.
  returned: always
  type: str
pid:
  description:
    - The process that was left running, the command or, with O(init=true), its process 1, as the managed host numbers
      it. To end it ends all, if C(pid) is among O(namespaces).
  returned: always, V(null) without O(detach=true)
  type: int
start_time:
  description: When that was started, in clock ticks since boot.
  returned: always, V(null) without O(detach=true)
  type: int
target:
  description: As of M(nsfleet.linux.ns_exec). Nothing is entered, so all of it is V(null).
  returned: always
  type: dict
  contains:
    container:
      description: Always V(null).
      type: str
      returned: always
    id:
      description: Always V(null).
      type: str
      returned: always
    pid:
      description: Always V(null).
      type: int
      returned: always
    start_time:
      description: Always V(null).
      type: int
      returned: always
namespaces:
  description: What was made, by type. They are gone with the last process in them.
  returned: always
  type: dict
  sample: {net: "net:[4026532184]"}
unproven:
  description: What is not known about the outcome.
  returned: always
  type: list
  elements: str
  sample: []
diff:
  description: As of M(nsfleet.linux.ns_exec), and empty.
  returned: always
  type: dict
  contains:
    before:
      description: Always empty.
      type: str
      returned: always
    after:
      description: Always empty.
      type: str
      returned: always
left:
  description:
    - Processes that the command has started and that still run. They keep the namespaces alive.
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
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nsfleet.linux.plugins.module_utils._compiled_once import compile_once
from ansible_collections.nsfleet.linux.plugins.module_utils._create.options import unshare_options


def main() -> None:
    module = AnsibleModule(
        argument_spec=unshare_options(),
        mutually_exclusive=[("cmd", "argv"), ("map_root_user", "map_current_user")],
        required_one_of=[("cmd", "argv")],
        supports_check_mode=True,
    )
    # What follows is many files.
    compile_once()
    from ansible_collections.nsfleet.linux.plugins.module_utils._create.unshare import run_task

    result = run_task(module.params, module.check_mode)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    # Said, or Ansible would take any rc but 0 for a failure: that of a command that was not waited for, or not run.
    module.exit_json(failed=False, **result)


if __name__ == "__main__":
    main()
