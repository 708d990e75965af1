"""What the command may do: as `docker exec` would give it (C(of_leader)), or as nsenter would (C(of_host)).

The capability sets are those before the execution. The kernel then makes of them what capabilities(7) says: uid 0 gets
the bounding set (with no_new_privs at most what was permitted), others keep the ambient set.
"""
from __future__ import annotations

import os
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._kernel.capabilities import CAPABILITIES
from .._kernel.libc import KernelLacks
from .._kernel.proc import Cgroup, Proc, parse_cgroups
from .._kernel.ptrace import SeccompFilter, seccomp_filters
from .._model.entry import Refused, Target
from .target import why

_RLIMIT_CORE = 4
_INFINITY = (1 << 64) - 1
_MOST_LABEL = 4096
_NO_CORE = 1  # byte


def mask(*names: str) -> int:
    """The 64-bit mask of capabilities, named without CAP_."""
    return sum(1 << CAPABILITIES.index("CAP_" + name) for name in names)


# What a command that only looks may have, and what a guard may besides.
READ_ONLY = mask("NET_RAW", "DAC_READ_SEARCH", "SYSLOG", "SETUID", "SETGID")
GUARD = READ_ONLY | mask("NET_ADMIN")


class Privileges(NamedTuple):
    """C(uid), C(gid), C(groups): in the user namespace that is joined. C(user): as the container's configuration says.

    C(label), C(rlimits), C(umask), C(oom_score_adj): None or empty is to leave them as they are.
    C(label): the file below /proc/thread-self to write to before the mounts are joined, and what. C(seccomp): oldest
    first. C(rlimits): soft and hard by number, 2**64-1 is unlimited. C(cgroups): where the leader is, all hierarchies.
    """

    uid: int
    gid: int
    groups: List[int]
    effective: int
    permitted: int
    inheritable: int
    bounding: int
    ambient: int
    no_new_privs: bool = False
    seccomp: Sequence[SeccompFilter] = ()
    label: Optional[Tuple[str, bytes]] = None
    rlimits: Dict[int, Tuple[int, int]] = {}
    umask: Optional[int] = None
    oom_score_adj: Optional[int] = None
    new_keyring: bool = False
    cgroups: Sequence[Cgroup] = ()
    user: Optional[str] = None


def of_leader(target: Target, proc: Proc) -> Privileges:
    """What `docker exec` gives in the target's container (measured: Docker 28.2, runc 1.1.5, also with userns-remap).

    The leader's own, but for umask (0022 always) and the session keyring. Reading its seccomp filters stops it for a
    moment. Raises Refused where any of it cannot be told: it is not left out.
    """
    pid = target.pid
    if pid is None:
        raise Refused("%s has no process whose privileges the command could get: use privileges: host." % target.name)
    try:
        status = proc.status(pid)
        joined = "user" in target.types
        uid, gid = (
            _inside(proc, pid, name, int(status[key].split()[1]), joined)
            for key, name in (("Uid", "uid_map"), ("Gid", "gid_map"))
        )
        groups = [_inside(proc, pid, "gid_map", int(group), joined) for group in status["Groups"].split()]
        sets = [int(status["Cap" + name], 16) for name in ("Eff", "Prm", "Inh", "Bnd", "Amb")]
        found = Privileges(
            uid if uid is not None else -1, gid if gid is not None else -1,
            # One that its user namespace does not map cannot be given: one group less.
            [group for group in groups if group is not None],
            sets[0], sets[1], sets[2], sets[3], sets[4],
            no_new_privs=status.get("NoNewPrivs") == "1", seccomp=_seccomp(target, pid, status),
            label=_label(proc, pid), rlimits=_rlimits(proc.read(pid, "limits")), umask=0o022,
            oom_score_adj=int(proc.read(pid, "oom_score_adj")), new_keyring=True,
            cgroups=parse_cgroups(proc.cgroup_text(pid)), user=target.container.user if target.container else None,
        )
    except (OSError, KeyError, IndexError, ValueError) as error:
        if isinstance(error, Refused):
            raise
        reason = why(error) if isinstance(error, OSError) else "what /proc says of it is not understood"
        raise Refused("The privileges of %s cannot be read (%s): it may have ended." % (target.name, reason)) from error
    if found.uid < 0 or found.gid < 0:
        raise Refused("The leader of %s is a user its namespace does not map: use privileges: host."
                      % target.name)
    return found


def of_host(joins_user: bool = False, proc: Optional[Proc] = None) -> Privileges:
    """What nsenter gives: all that the caller has; root of the user namespace, where one is joined."""
    proc = proc or Proc()
    if joins_user:
        last = int(proc.read("sys", "kernel", "cap_last_cap"))
        every = (2 << last) - 1
        # setns(2) gives all of them anew; what user_namespaces(7) keeps is the inheritable set, which it clears.
        return Privileges(0, 0, [], every, every, 0, every, 0)
    status = proc.status(os.getpid())
    sets = [int(status["Cap" + name], 16) for name in ("Eff", "Prm", "Inh", "Bnd", "Amb")]
    return Privileges(
        os.geteuid(), os.getegid(), os.getgroups(), sets[0], sets[1], sets[2], sets[3], sets[4],
        no_new_privs=status.get("NoNewPrivs") == "1",
    )


def for_user(privileges: Privileges, uid: int, gid: int, groups: Sequence[int]) -> Privileges:
    """As another user: `docker exec --user`. C(groups): the user's in the group file, where no group was given.

    Who is not uid 0 keeps the bounding and the ambient set; the kernel takes away the others at the execution anyway.
    """
    changed = privileges._replace(uid=uid, gid=gid, groups=sorted({gid, *groups}), user=None)
    if uid == 0:
        return changed
    return changed._replace(effective=privileges.ambient, permitted=privileges.ambient)


def restricted(privileges: Privileges, keep: int = READ_ONLY) -> Privileges:
    """For a command that may only look: in no set more than the capabilities C(keep), and no_new_privs."""
    return privileges._replace(
        effective=privileges.effective & keep, permitted=privileges.permitted & keep,
        inheritable=privileges.inheritable & keep, bounding=privileges.bounding & keep,
        ambient=privileges.ambient & keep, no_new_privs=True,
        # core(5): with 1, unlike 0, not even a program that core_pattern names is started, which is the host's.
        rlimits={**privileges.rlimits, _RLIMIT_CORE: (_NO_CORE, _NO_CORE)},
    )


def executed(privileges: Privileges) -> Privileges:
    """What /proc shows after the execution of a program that has neither set-user-ID nor capabilities of its own."""
    if privileges.uid:
        return privileges._replace(effective=privileges.ambient, permitted=privileges.ambient)
    permitted = privileges.inheritable | privileges.bounding
    if privileges.no_new_privs:
        permitted &= privileges.permitted
    # Ambient ones are lost where the execution gives any by uid.
    return privileges._replace(effective=permitted, permitted=permitted)


def _inside(proc: Proc, pid: int, name: str, number: int, joined: bool) -> int | None:
    """An id as its user namespace has it, where that is joined; None: not mapped there."""
    if not joined:
        return number
    for row in proc.read(pid, name, limit=65536).split(b"\n"):
        fields = row.split()
        if len(fields) == 3:
            inner, outer, count = map(int, fields)
            if outer <= number < outer + count:
                return inner + number - outer
    return None


def _seccomp(target: Target, pid: int, status: Dict[str, str]) -> List[SeccompFilter]:
    mode = status.get("Seccomp", "0")
    if mode == "0":
        return []
    wanted = "The seccomp filters of %s, under which the command has to run," % target.name
    instead = "nothing was run; privileges: host runs without them"
    if mode != "2":
        raise Refused("%s cannot be copied: it is in strict mode; %s." % (wanted, instead))
    try:
        found = seccomp_filters(pid)
    except (OSError, KernelLacks) as error:
        raise Refused("%s cannot be copied (%s): %s." % (wanted, why(error), instead)) from error
    if not found:
        raise Refused("%s cannot be copied: the kernel shows none; %s." % (wanted, instead))
    return found


def _label(proc: Proc, pid: int) -> Tuple[str, bytes] | None:
    """The LSM's label as the next execution is to get it, and the file for that; None: there is none, or it is ours."""
    for folder in ("attr/apparmor", "attr"):
        try:
            theirs = _attribute(proc, pid, folder)
            ours = _attribute(proc, "thread-self", folder)
        except OSError:
            continue  # ENOENT: no such module. EINVAL: none that labels processes.
        if theirs == ours or not theirs:
            return None
        # AppArmor before 5.8 has no folder of its own; only it names a mode, C(docker-default (enforce)).
        if folder == "attr/apparmor" or theirs.endswith(b")") or theirs == b"unconfined":
            theirs = b"exec " + (theirs.rpartition(b" (")[0] or theirs)
        return folder + "/exec", theirs
    return None


def _attribute(proc: Proc, pid: object, folder: str) -> bytes:
    return proc.read(pid, *folder.split("/"), "current", limit=_MOST_LABEL).rstrip(b"\0\n")


def _rlimits(raw: bytes) -> Dict[int, Tuple[int, int]]:
    """/proc/PID/limits: a heading, then one line for each, in the order of their numbers."""
    found = {}
    for at, line in enumerate(raw.split(b"\n")[1:]):
        words = line[26:].split()
        if len(words) >= 2:
            soft, hard = (_INFINITY if word == b"unlimited" else int(word) for word in words[:2])
            found[at] = (soft, hard)
    return found
