"""What the kernel says of a container: capabilities, seccomp, LSM label, user, unit, whether it is frozen."""
from __future__ import annotations

from typing import NamedTuple

from .._kernel.capabilities import capability_names
from .._kernel.proc import Mount, text
from .._model.inventory import USER, Process
from .claim import Cgroups
from .lookup import line
from .view import View

# Fields of /proc/PID/status, proc_pid_status(5), by the names engines use.
_SETS = (
    ("effective", "CapEff"), ("bounding", "CapBnd"), ("permitted", "CapPrm"), ("inheritable", "CapInh"),
    ("ambient", "CapAmb"),
)
_SECCOMP = {"0": "disabled", "1": "strict", "2": "filter"}


class Confinement(NamedTuple):
    """None where it was not told. C(user): UID:GID as the process's user namespace sees them."""

    capabilities: dict[str, list[str]] = {}
    seccomp: str | None = None
    no_new_privs: bool | None = None
    user: str | None = None
    lsm: str | None = None


def confinement(view: View, process: Process) -> Confinement:
    """Raises OSError (ENOENT, ESRCH: the process is gone)."""
    status = view.proc.status(process.pid)
    sets: dict[str, list[str]] = {}
    for name, field in _SETS:
        try:
            sets[name] = capability_names(int(status[field], 16))
        except (KeyError, ValueError):
            pass
    privs = status.get("NoNewPrivs")
    return Confinement(
        sets, _SECCOMP.get(status.get("Seccomp", "")), None if privs is None else privs == "1",
        _user(view, process, status), _lsm(view, process.pid),
    )


def unit_of(path: str) -> str | None:
    """The innermost systemd service or scope of a cgroup path."""
    return next((line(part) for part in reversed(path.split("/")) if part.endswith((".service", ".scope"))), None)


def frozen(view: View, cgroups: Cgroups) -> bool:
    """Whether this cgroup or one above it is frozen, cgroups(7); False where that cannot be seen."""
    mounts = view.once("cgroup mounts", lambda: _mounts(view))
    for cgroup in cgroups.paths:
        unified = cgroup.hierarchy == 0 and not cgroup.controllers
        mount = mounts.get("unified" if unified else "freezer")
        above = "" if mount is None else mount.root.rstrip("/")
        # The root cgroup cannot be frozen; one outside of our cgroup namespace cannot be seen.
        if mount is None or not cgroup.path.startswith(above + "/") or cgroup.path == "/" or "/.." in cgroup.path:
            continue
        folder = mount.path + cgroup.path[len(above):]
        if unified and b"frozen 1" in _read(view, folder + "/cgroup.events").split(b"\n"):
            return True
        if "freezer" in cgroup.controllers.split(","):
            return _read(view, folder + "/freezer.state").strip() == b"FROZEN"
    return False


def _read(view: View, path: str) -> bytes:
    try:
        return view.files.read_here(path)
    except OSError:
        return b""


def _lsm(view: View, pid: int) -> str | None:
    # The label of SELinux, AppArmor or Smack; without any of them the kernel answers EINVAL.
    for path in (("attr", "current"), ("attr", "apparmor", "current")):
        try:
            return line(text(view.proc.read(pid, *path, limit=4096)).rstrip("\0\n"))
        except OSError:
            continue
    return None


def _user(view: View, process: Process, status: dict[str, str]) -> str | None:
    ids = []
    for field, name in (("Uid", "uid_map"), ("Gid", "gid_map")):
        try:
            number = int(status[field].split()[1])
        except (KeyError, IndexError, ValueError):
            return None
        told = process.namespaces[USER] is not None and USER not in view.differs(process)
        mapped = None if told else inside(view, process.pid, name, number)
        ids.append(number if mapped is None else mapped)
    return "%d:%d" % tuple(ids)


def inside(view: View, pid: int, name: str, number: int) -> int | None:
    """What an id is in a process's user namespace by its uid_map or gid_map; None: not mapped."""
    try:
        rows = view.proc.read(pid, name, limit=65536).split(b"\n")
    except OSError:
        return None
    for row in rows:
        fields = row.split()
        if len(fields) == 3 and all(field.isdigit() for field in fields):
            inner, outer, count = map(int, fields)
            if outer <= number < outer + count:
                return inner + number - outer
    return None


def _mounts(view: View) -> dict[str, Mount]:
    found: dict[str, Mount] = {}
    try:
        for mount in view.proc.mounts("self"):
            names = {"cgroup": mount.path.rpartition("/")[2].split(","), "cgroup2": ["unified"]}.get(mount.fstype, [])
            # Others may be mounted elsewhere: copies of a part, in somebody's chroot.
            for name in names if mount.path.startswith("/sys/fs/cgroup") else ():
                found.setdefault(name, mount)
    except OSError as error:
        view.problems.error("cgroup mounts", error)
    return found
