"""Why a namespace, a map or an offset could not be had, in one sentence that says what to do."""
from __future__ import annotations

import errno
import os
from typing import Collection, Mapping

from .._model.entry import Refused

_USER = "/proc/sys/user/max_%s_namespaces"
# Distributions' own switches for users who are not root: file, the value that forbids, and what it says.
_SWITCHES = (
    ("/proc/sys/kernel/unprivileged_userns_clone", b"0", "the sysctl kernel.unprivileged_userns_clone (Debian) is 0"),
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", b"1",
     "the sysctl kernel.apparmor_restrict_unprivileged_userns (Ubuntu) is 1, and no AppArmor profile allows it"),
)
_AS_ROOT = "run the task as root (become)"


def no_namespace(kind: str, error: OSError, types: Collection[str]) -> Refused:
    """C(types): all that were wanted."""
    code = errno.errorcode.get(error.errno or 0, str(error))
    why = {
        "ENOSPC": _limit, "EUSERS": _limit, "EPERM": _not_permitted, "EINVAL": _not_known,
    }.get(code, lambda kind, types: str(error.strerror or error).partition(": ")[2] or code)(kind, types)
    return Refused("No new %s namespace could be made (%s): %s. Nothing has run." % (kind, code, why))


def no_map(file: str, content: bytes, error: OSError) -> Refused:
    """C(content): what was to be written to C(file) of /proc/PID."""
    code = errno.errorcode.get(error.errno or 0, str(error))
    shown = "; ".join(content.decode("ascii").split("\n")[:-1][:5]) or content.decode("ascii")
    why = {
        "EPERM": "an id outside is not mapped in the module's own user namespace, or is not the caller's to map (0 is"
                 " only for who has CAP_SETFCAP, since Linux 5.12)",
        "EINVAL": "the kernel finds that its ranges overlap, or are too many",
        "EACCES": "/proc is not writable here, or a security module forbids it",
    }.get(code, os.strerror(error.errno or 0))
    if file == "setgroups" and code == "EPERM":
        why = "it can be allowed no more where the user namespace around it denies it"
    return Refused("%s of the new user namespace could not be set to %s (%s): %s. Nothing has run."
                   % (file, shown, code, why))


def no_offset(offsets: Mapping[str, int], error: OSError) -> Refused:
    """C(offsets): seconds by clock."""
    code = errno.errorcode.get(error.errno or 0, str(error))
    shown = ", ".join("%s %d s" % each for each in sorted(offsets.items()))
    why = {
        "ERANGE": "a clock would be negative, or beyond what the kernel counts (146 years)",
        "EPERM": "it takes CAP_SYS_TIME: %s, or list user in namespaces" % _AS_ROOT,
        "ENOENT": "this kernel has no time namespaces (Linux 5.6)",
    }.get(code, os.strerror(error.errno or 0))
    return Refused("The clocks of the new time namespace could not be set off by %s (%s): %s. Nothing has run."
                   % (shown, code, why))


def _limit(kind: str, dummy: Collection[str]) -> str:
    path = _USER % kind
    found = _read(path)
    if found == b"0":
        return "%s is 0, which forbids them: raise it (sysctl user.max_%s_namespaces)" % (path, kind)
    nested = ", or there are 32 of them inside of one another already" if kind in ("user", "pid") else ""
    return "there are as many as %s allows (%s), or the same of a user namespace around this one%s" % (
        path, found.decode("ascii", "replace") or "unreadable", nested)


def _not_permitted(kind: str, types: Collection[str]) -> str:
    switch = next((said for path, value, said in _SWITCHES if _read(path) == value), None)
    if kind == "user":
        if os.geteuid() and switch:
            return "%s: set it otherwise, or %s" % (switch, _AS_ROOT)
        if _in_chroot():
            return "the module is in a chroot, where the kernel allows no user namespaces: run it outside"
        return "a seccomp filter (of a container, say) or a security module forbids it"
    if "user" in types:
        said = switch or "a security module, or a seccomp filter, forbids what the new user namespace would allow"
        return "%s: %s" % (said, _AS_ROOT)
    return "it takes CAP_SYS_ADMIN: %s, or list user in namespaces as well" % _AS_ROOT


def _not_known(kind: str, dummy: Collection[str]) -> str:
    if not os.path.lexists("/proc/self/ns/" + kind):
        since = " (Linux 5.6)" if kind == "time" else ""
        return "this kernel has no %s namespaces%s: leave %s out" % (kind, since, kind)
    return "the kernel found the request invalid"


def _in_chroot() -> bool:
    """Whether our root directory is not that of our mount namespace."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            return not any(line.split()[4] == b"/" for line in file)
    except OSError:
        return False


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(64).strip()
    except OSError:
        return b""
