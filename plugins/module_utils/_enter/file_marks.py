"""Where the files of a target are written: the file systems behind its writable mounts, watched with fanotify."""
from __future__ import annotations

import errno
import os
import stat

from .._kernel.fanotify import fanotify_init, handle_of, identity, mark
from .._kernel.in_root import open_in_root
from .._model.entry import Target
from .file_places import Place, Single, Spot, file_of, open_path
from .mount_view import MountLine, MountView

# Made by the kernel: what is written there is no file (net's sysctls and the like have watchers of their own).
_NO_FILES = frozenset((
    "proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "bpf", "tracefs", "debugfs", "securityfs", "configfs",
    "nsfs", "fusectl", "binfmt_misc", "pstore", "efivarfs", "rpc_pipefs", "nfsd", "selinuxfs", "smackfs", "resctrl",
    "pipefs", "sockfs", "binder",
))
# Behind these is somebody else: who may not answer, has another clock, and changes files that we never see changed.
_REMOTE = frozenset((
    "nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "afs", "lustre", "gpfs", "ocfs2", "gfs2", "glusterfs",
    "autofs", "fuse", "fuseblk", "vboxsf", "vmhgfs", "orangefs", "pvfs2", "coda",
))
_IN_MEMORY = frozenset((0x01021994, 0x858458F6, 0x958458F6))  # tmpfs, ramfs, hugetlbfs
_LOWER = ("lowerdir=", "lowerdir+=")
_OVERLAY = 0x794C7630
_INITIAL_USER_NAMESPACE = 0xEFFFFFFD  # PROC_USER_INIT_INO
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK


class FileMarks:
    """Opens and marks all there is. What cannot be watched is in C(walks), what cannot even be walked in C(unproven).

    C(groups): fanotify descriptors. C(places) by file system (f_fsid), C(singles) by file system and handle. Between
    C(let_go) and C(take_again) none of them is open; C(lost) then has those that are not where they were any more.
    """

    def __init__(self, target: Target, until: float) -> None:
        self.groups: list[int] = []
        self.places: dict[bytes, list[Place]] = {}
        self.singles: dict[tuple[bytes, bytes], Single] = {}
        self.walks: list[tuple[Place | Single, str]] = []
        self.unproven: list[str] = []
        self.lost: list[Place | Single] = []
        self._root = -1
        self._opened: list[int] = []
        self._marked: set[bytes] = set()
        self._refused = ""
        try:
            view = MountView(target, until)
            try:
                mounts = view.read()
                self._root = os.dup(view.root)
                self._opened.append(self._root)
            finally:
                view.close()
        except OSError as error:
            self.unproven.append("files cannot be watched: the mounts could not be read: %s" % error.strerror)
            return
        self._open_group()
        remote = tuple(line.path.rstrip("/") + "/" for line in mounts if _is_remote(line))
        singles: list[Single] = []
        # Of mounts at one path only the last is seen.
        for path, line in {line.path: line for line in mounts}.items():
            if line.fstype in _NO_FILES:
                continue
            # Watched all the same, for who has the right makes it writable and read-only again; but not walked.
            writable = "ro" not in line.options.split(",") and "ro" not in line.super_options.split(",")
            if path.startswith(remote) or (path + "/").startswith(remote):
                if writable:
                    self.unproven.append("files below %s (%s) cannot be watched" % (path, line.fstype))
                continue
            walks = len(self.walks)
            try:
                self._take(line, singles if writable else [])
            except OSError as error:
                if writable:
                    self.unproven.append("files below %s cannot be watched: %s" % (path, error.strerror))
            if not writable:
                del self.walks[walks:]
        if "/" not in (line.path for line in mounts):
            self._take_root()
        # After the directories: most lie in a file system that is watched by now.
        for single in singles:
            self._take_single(single)

    def let_go(self) -> None:
        """Close what would keep mounts busy; what is marked stays so."""
        for descriptor in self._opened:
            if descriptor != self._root:
                os.close(descriptor)
        self._opened = [self._root] if self._root in self._opened else []
        self.places = {fsid: [place._replace(descriptor=-1) for place in places]
                       for fsid, places in self.places.items()}
        self.singles = {key: single._replace(descriptor=-1) for key, single in self.singles.items()}
        self.walks = [(place._replace(descriptor=-1), why) for place, why in self.walks]

    def take_again(self) -> None:
        """Open it again, as far as it still is where it was."""
        for fsid, places in self.places.items():
            self.places[fsid] = [again for again in map(self._again, places) if isinstance(again, Place)]
        for key, single in list(self.singles.items()):
            again = self._again(single)
            if isinstance(again, Single):
                self.singles[key] = again
            else:
                del self.singles[key]
        walks, self.walks = self.walks, []
        for place, why in walks:
            there = self._again(place)
            if there is None:
                self.unproven.append("files below %s cannot be looked at: it is mounted no more" % place.point)
            else:
                self.walks.append((there, why))

    def _again(self, old: Place | Single) -> Place | Single | None:
        try:
            found = open_in_root(self._root, old.spot.path) if old.spot.inside else open_path(old.spot.path)
            self._opened.append(found)
            if file_of(found) == old.spot.file:
                if isinstance(old, Single):
                    return old._replace(descriptor=found)
                top = self._reopen(found)
                return old._replace(descriptor=top, top=os.readlink("/proc/self/fd/%d" % top))
        except OSError:
            pass  # nor is it there
        self.lost.append(old)
        return None

    def close(self) -> None:
        """Let go of all."""
        for descriptor in self.groups + self._opened:
            os.close(descriptor)
        self.groups, self._opened = [], []

    def _open_group(self) -> bool:
        # In a user namespace the kernel may make a group, but one that does not tell the authors.
        try:
            if os.stat("/proc/self/ns/user").st_ino != _INITIAL_USER_NAMESPACE:
                raise PermissionError(errno.EPERM, "needs the initial user namespace")
            self.groups.append(fanotify_init())
        except OSError as error:
            self._refused = self._refused or "fanotify: %s" % error.strerror
            return False
        return True

    def _take(self, line: MountLine, singles: list[Single]) -> None:
        try:
            found = open_in_root(self._root, line.path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return  # below a directory that another mount hides
            raise
        self._opened.append(found)
        status = os.fstat(found)
        device = "%d:%d" % (os.major(status.st_dev), os.minor(status.st_dev))
        if device != line.device and line.fstype != "btrfs":
            return  # hidden too; a subvolume of btrfs has a number of its own
        if stat.S_ISREG(status.st_mode):
            singles.append(Single(found, line.path, Spot(line.path, True, file_of(found))))
        elif stat.S_ISDIR(status.st_mode):
            uppers = self._uppers(line, found) if line.fstype == "overlay" else []
            top = self._reopen(found)
            if line.fstype != "overlay":
                self._watch([self._place(top, line.path, line.path)])
            elif uppers:
                self._watch(uppers)
            else:
                place = self._place(top, line.path, line.path)
                self.walks.append((place, "its upper directory is not to be found"))

    def _take_root(self) -> None:
        """A root directory that is no mount (chroot): the table does not have the one that it lies in."""
        try:
            if os.fstatvfs(self._root).f_flag & os.ST_RDONLY:
                return
            place = self._place(self._reopen(self._root), "/", "/")
            if identity(self._root)[0] == _OVERLAY:
                self.walks.append((place, "its upper directory is not to be found"))
            else:
                self._watch([place])
        except OSError as error:
            self.unproven.append("files below / cannot be watched: %s" % error.strerror)

    def _reopen(self, found: int) -> int:
        descriptor = os.open("/proc/self/fd/%d" % found, _DIRECTORY)
        self._opened.append(descriptor)
        return descriptor

    def _place(self, descriptor: int, point: str, path: str, inside: bool = True, upper: bool = False, work: str = "",
               lowers: tuple[str, ...] = ()) -> Place:
        top = os.readlink("/proc/self/fd/%d" % descriptor)
        in_memory = identity(descriptor)[0] in _IN_MEMORY
        return Place(
            descriptor, top, point, upper, work, lowers, in_memory, Spot(path, inside, file_of(descriptor)))

    def _uppers(self, line: MountLine, merged: int) -> list[Place]:
        """The upper directory. Events of an overlay itself are not to be had; all writes end up there.

        Its path was one of whoever mounted the overlay: the host, or somebody inside. So both are looked at, and what
        is found must be of the same size as what the overlay says it has.
        """
        options = dict(option.partition("=")[::2] for option in line.super_options.split(","))
        upper, work = options.get("upperdir", ""), options.get("workdir", "")
        if not upper.startswith("/"):
            return []
        lowers = tuple(path for option in line.super_options.split(",") if option.startswith(_LOWER)
                       for path in option.partition("=")[2].split(":") if path.startswith("/"))
        said = os.fstatvfs(merged)
        places: list[Place] = []
        for inside in (False, True):
            try:
                found = open_in_root(self._root, upper) if inside else open_path(upper)
            except OSError:
                continue
            self._opened.append(found)
            size = os.fstatvfs(found)
            # Not exactly: some file systems count what is free now.
            if size.f_bsize != said.f_bsize or abs(size.f_blocks - said.f_blocks) > said.f_blocks // 50:
                continue
            try:
                places.append(self._place(self._reopen(found), line.path, upper, inside, True, work, lowers))
            except OSError:
                continue
        return places

    def _watch(self, places: list[Place]) -> None:
        for place in places:
            refusal = self._mark(place.descriptor)
            if refusal:
                self.walks.append((place, refusal))
            else:
                self.places.setdefault(identity(place.descriptor)[1], []).append(place)

    def _mark(self, descriptor: int, whole: bool = True) -> str:
        fsid = identity(descriptor)[1]
        if fsid in self._marked:
            return ""
        if not self.groups:
            return self._refused
        try:
            mark(self.groups[0], descriptor, whole)
        except OSError as error:
            if error.errno not in (errno.ENODEV, errno.EXDEV) or not whole:
                return "fanotify: %s" % error.strerror
            # Since 6.8 one that has no identity of its own can be watched by a group for it alone.
            if not self._open_group():
                return self._refused
            try:
                mark(self.groups[-1], descriptor, whole)
            except OSError as another:
                os.close(self.groups.pop())
                return "fanotify: %s" % another.strerror
        if whole:
            self._marked.add(fsid)
        return ""

    def _take_single(self, single: Single) -> None:
        try:
            refusal = self._mark(single.descriptor, whole=False)
            if not refusal:
                self.singles[identity(single.descriptor)[1], handle_of(single.descriptor)] = single
                return
        except OSError as error:
            refusal = str(error.strerror)
        self.walks.append((single, refusal))


def _is_remote(line: MountLine) -> bool:
    return line.fstype in _REMOTE or line.fstype.startswith("fuse.")
