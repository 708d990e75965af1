# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is looked up where a command will run: as the command will find it, and nothing else, whoever rules there."""

from __future__ import annotations

import ctypes
import glob
import locale
import os
import shutil
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import lookup
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.accounts import Account
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.scout import Scout
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused, Target
from ansible_collections.nsfleet.linux.tests.kernel import fuse
from ansible_collections.nsfleet.linux.tests.kernel.holders import private_mounts

CANARY = "canary-of-the-host"
PASSWD = "root:x:0:0::/root:/bin/sh\napp:x:1000:100::/srv/app:/bin/sh\n"
MNT, MNT_USER = namespaces.CLONE_NEWNS, namespaces.CLONE_NEWNS | namespaces.CLONE_NEWUSER
OTHER_USER = pytest.mark.parametrize("flags", [MNT, MNT_USER], ids=["mnt", "mnt+user"])


class Place:
    """A root directory of its own, and what scouts it."""

    def __init__(self, target: Target, root: Path) -> None:
        self.target = target
        self.root = root
        self.scouts: list[Scout] = []

    def scout(self, seconds: float = 20, capabilities: int | None = None) -> Scout:
        self.scouts.append(Scout(self.target, time.monotonic() + seconds, capabilities))
        return self.scouts[-1]


def populate(root: Path) -> None:
    for folder in ("etc", "bin", "sbin", "srv/app", "empty", "proc", "many"):
        (root / folder).mkdir(parents=True)
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text("root:x:0:\nusers:x:100:\nwheel:x:10:app\n")
    for name, mode in {"bin/tool": 0o755, "sbin/tool": 0o755, "bin/plain": 0o644, "sbin/plain": 0o755,
                       "bin/private": 0o700, "srv/app/own": 0o755, "srv/app/data": 0o644}.items():
        (root / name).write_text("#!/bin/sh\n")
        (root / name).chmod(mode)
    (root / "bin/folder").mkdir()
    (root / "bin/link").symlink_to("/sbin/tool")
    (root / "bin/dangling").symlink_to("/nowhere")
    (root / "srv/app/.hidden").write_text("")
    (root / "etc/resolv.conf").write_text("nameserver 192.0.2.1\n")


@pytest.fixture
def place(held: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """A process in mounts and a root of its own; ``more`` changes the tree before the root is entered."""
    made: list[Place] = []
    tmp_path.chmod(0o755)

    def make(more: Callable[[Path], Any] = lambda root: None, flags: int = namespaces.CLONE_NEWNS) -> Place:
        def build() -> None:
            root = Path(private_mounts()) / "root"
            root.mkdir()
            os.umask(0o022)
            populate(root)
            mounts.mount("/proc", str(root / "proc"), None, mounts.MS_BIND | mounts.MS_REC)
            more(root)
            os.chroot(root)
            os.chdir("/")

        pid = held(build, flags).pid
        types = ["mnt", "user"] if flags & namespaces.CLONE_NEWUSER else ["mnt"]
        opened = {name: os.open("/proc/%d/ns/%s" % (pid, name), os.O_RDONLY) for name in types}
        root = os.open("/proc/%d/root" % pid, os.O_PATH)
        target = Target("web", pid=pid, root=root, types=types, descriptors=opened)
        made.append(Place(target, Path("/proc/%d/root" % pid)))
        return made[-1]

    yield make
    for one in made:
        for scout in one.scouts:
            scout.close()
        for descriptor in (*one.target.descriptors.values(), one.target.root or -1):
            os.close(descriptor)


@pytest.fixture
def canary(tmp_path: Path) -> str:
    """A file of the host's that nothing inside may lead to. Returns its path."""
    (tmp_path / "canary").write_text(CANARY)
    return str(tmp_path / "canary")


@OTHER_USER
def test_users_are_those_of_its_own_files(place: Callable[..., Place], flags: int) -> None:
    scout = place(flags=flags).scout()
    assert scout.account("app") == Account(1000, 100, [100, 10], "/srv/app", "app", "/bin/sh")
    assert scout.account("1000:wheel").gid == 10
    assert scout.account(None).home == "/root"
    assert scout.account("4711") == Account(4711, 0, [0])
    assert (scout.home("app"), scout.home("nobody")) == ("/srv/app", None)
    with pytest.raises(Refused, match="nobody .*/etc/passwd of web"):
        scout.account("nobody")


@OTHER_USER
def test_programs_are_found_as_exec_finds_them(place: Callable[..., Place], flags: int) -> None:
    scout = place(flags=flags).scout()
    scout.become(0, 0, [0])
    assert scout.program("tool", "/nowhere:/bin:/sbin") == "/bin/tool"
    assert scout.program("plain", "/bin:/sbin") == "/sbin/plain"
    assert scout.program("link", "/bin") == "/bin/link"
    assert scout.program("own", ":/bin", "/srv/app") == "/srv/app/own"
    assert scout.program("./own", "", "/srv/app") == "/srv/app/./own"
    assert scout.program("app/own", "/bin", "/srv") == "/srv/app/own"
    assert scout.program("/sbin/tool", "") == "/sbin/tool"
    for name in ("plain", "folder", "/bin/plain", "/bin"):
        with pytest.raises(Refused, match="may not be executed in web .*EACCES"):
            scout.program(name, "/bin")
    for name in ("none", "dangling", "/none", "/bin/tool/x", "a\0b"):
        with pytest.raises(Refused, match="ENOENT|EINVAL"):
            scout.program(name, "/bin:/etc/passwd")


def test_a_program_of_the_hosts_is_offered(place: Callable[..., Place]) -> None:
    with pytest.raises(Refused, match=r"mount is not in web .*the host has /.*/mount: .*namespaces: \[net\]"):
        place().scout().program("mount", "/bin")


def test_of_a_mount_that_is_noexec_nothing_runs(place: Callable[..., Place]) -> None:
    def more(root: Path) -> None:
        mounts.mount("nsfleet-test", str(root / "empty"), "tmpfs", mounts.MS_NOEXEC)
        (root / "empty/tool").touch(0o755)

    with pytest.raises(Refused, match="EACCES.*mount"):
        place(more).scout().program("tool", "/empty")


def needs_users(host_root: bool) -> None:
    if not host_root:
        pytest.skip("user_namespaces(7): without CAP_SETUID outside, a namespace maps one uid only")


def test_all_is_looked_up_as_the_commands_user(place: Callable[..., Place], host_root: bool) -> None:
    needs_users(host_root)

    def more(root: Path) -> None:
        (root / "srv/secret").mkdir(mode=0o700)
        (root / "srv/secret/file").touch()
        (root / "srv/team").mkdir(mode=0o750)
        os.chown(root / "srv/team", 0, 10)

    scout = place(more).scout()
    assert scout.program("private", "/bin") == "/bin/private"
    assert scout.exists("/srv/secret/file")
    scout.become(*scout.account("app")[:3])
    with pytest.raises(Refused, match="EACCES"):
        scout.program("private", "/bin")
    assert not scout.exists("/srv/secret/file") and not scout.exists("/srv/sec*/f*")
    with pytest.raises(Refused, match="/srv/secret in web .*EACCES"):
        scout.folder("/srv/secret")
    scout.folder("/srv/team")
    assert scout.program("tool", "/bin") == "/bin/tool"


def test_capabilities_are_those_of_the_command(place: Callable[..., Place], host_root: bool) -> None:
    needs_users(host_root)
    override = 1 << 1  # CAP_DAC_OVERRIDE

    def more(root: Path) -> None:
        (root / "srv/secret").mkdir(mode=0o700)
        os.chown(root / "srv/secret", 1000, 1000)
        (root / "srv/secret/file").touch()

    made = place(more)
    cases = ((0, 0, False), (override, 0, True), (override, 4711, True), (0, 1000, True), (None, 0, True))
    for mask, uid, seen in cases:
        scout = made.scout(capabilities=mask)
        scout.account("app")
        if mask is not None:
            # What it needs to become somebody, CAP_SETGID, CAP_SETUID and CAP_SETPCAP, and no more.
            assert int(status_of(scout)["CapEff"], 16) == mask | 0x1C0
        scout.become(uid, uid, [uid])
        assert scout.exists("/srv/secret/file") == seen, (mask, uid)
        status = status_of(scout)
        if mask is not None:
            assert {int(status[name], 16) for name in ("CapEff", "CapPrm")} == {mask}
            assert not int(status["CapInh"], 16)
        assert status["Uid"].split() == ["%d" % uid] * 4 and status["Groups"].split() == ["%d" % uid]


def test_exec_counts_the_commands_capabilities_too(place: Callable[..., Place], host_root: bool) -> None:
    """access(2) would not: it takes them from who is not root."""
    needs_users(host_root)
    scout = place(lambda root: (root / "srv").chmod(0o700)).scout(capabilities=1 << 1)
    scout.become(4711, 4711, [4711])
    assert scout.program("app/own", "", "/srv") == "/srv/app/own"
    assert scout.program("private", "/bin") == "/bin/private"


def child_of(scout: Scout) -> int:
    return scout._child._child


def status_of(scout: Scout) -> dict[str, str]:
    lines = Path("/proc/%d/status" % child_of(scout)).read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_it_hides_and_holds_nothing_of_the_hosts(place: Callable[..., Place], tmp_path: Path) -> None:
    """Not dumpable (so that its files are root's), in no other pid namespace, and with four descriptors."""
    made = place()
    with open(tmp_path / "secret", "w", encoding="ascii") as stream:
        os.set_inheritable(stream.fileno(), True)
        scout = made.scout()
        scout.become(0, 0, [0])
        scout.exists("/etc")
        pid = child_of(scout)
        links = {name: os.readlink("/proc/%d/fd/%s" % (pid, name)) for name in os.listdir("/proc/%d/fd" % pid)}
    left = sorted(links.values())
    assert left[:3] == ["/dev/null"] * 3 or left.count("/dev/null") == 3
    others = [link for link in left if link != "/dev/null"]
    assert len(others) == 3 and sum(link.startswith("socket:") for link in others) == 1
    assert any(link.endswith("/fd") for link in others)
    assert os.readlink("/proc/%d/ns/pid" % pid) == os.readlink("/proc/self/ns/pid")
    assert os.stat("/proc/%d/root" % pid).st_ino == os.fstat(made.target.root or -1).st_ino
    assert os.stat("/proc/%d/cwd" % pid).st_ino == os.fstat(made.target.root or -1).st_ino


PATTERNS = (
    "/srv/app/own", "/srv/app/none", "/srv/*/own", "/srv/*/o?n", "/srv/app/*", "/srv/app/.h*", "/srv/app/*hid*",
    "/empty/*", "/srv/app/", "/srv/app/own/", "/s*/", "/s*/app/", "/srv/app/o*/", "/bin/dangling", "/bin/d*g",
    "/bin/link", "/bin/link/x", "app/own", "a*/own", "app", "*", "none*", "../etc/pass*", "./app/../app/own", "**/own",
    "/**/own", "/srv/[ab]pp/own", "/srv/[!a]pp/own", "/srv/app/[", "//srv//app//own", "/", ".", "..", "/srv/app/..",
    "/srv/app/own/..", "/*/*/[a-o]*", "/srv/app/d[a]ta", "/" + "x" * 300, "/bin/*/x", "/etc/passwd/*", "\udcff*",
)


@OTHER_USER
def test_patterns_find_what_glob_finds(place: Callable[..., Place], in_child: Callable[..., Any], flags: int) -> None:
    made = place(flags=flags)

    def theirs() -> list[bool]:
        os.fchdir(made.target.root or -1)
        os.chroot(".")
        os.chdir("/srv")
        return [bool(glob.glob(pattern)) for pattern in PATTERNS]

    scout = made.scout()
    scout.become(0, 0, [0])
    ours = [scout.exists(pattern, "/srv") for pattern in PATTERNS]
    assert dict(zip(PATTERNS, ours)) == dict(zip(PATTERNS, in_child(theirs)))
    assert True in ours and False in ours


def test_a_folder_may_have_a_name_like_a_pattern(place: Callable[..., Place]) -> None:
    def more(root: Path) -> None:
        (root / "srv/[x]").mkdir()
        (root / "srv/[x]/file").touch()

    assert place(more).scout().exists("f*", "/srv/[x]")


def test_too_many_names_are_not_called_absent(place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch) -> None:
    def more(root: Path) -> None:
        for number in range(60):
            (root / "many" / str(number)).touch()

    monkeypatch.setattr(lookup, "MOST_ENTRIES", 50)
    scout = place(more).scout()
    with pytest.raises(Refused, match="whether /many/x.* names"):
        scout.exists("/many/x*")


def test_folders(place: Callable[..., Place]) -> None:
    scout = place().scout()
    scout.become(0, 0, [0])
    scout.folder("/srv/app")
    for path, code in {"/none": "ENOENT", "/etc/passwd": "ENOTDIR", "/bin/dangling": "ENOENT"}.items():
        with pytest.raises(Refused, match="chdir to %s in web .*%s" % (path, code)):
            scout.folder(path)


def test_files_are_read_to_a_limit(place: Callable[..., Place]) -> None:
    scout = place().scout()
    assert scout.read("/etc/resolv.conf", 1000) == b"nameserver 192.0.2.1\n"
    with pytest.raises(OSError, match="larger"):
        scout.read("/etc/resolv.conf", 5)


def evil(kind: str, canary: str, outside: int) -> Callable[[Path], None]:
    """Puts something in the place of /etc/passwd and others."""

    def more(root: Path) -> None:
        for name in ("passwd", "group", "resolv.conf"):
            path = root / "etc" / name
            path.unlink()
            if kind == "fifo":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
            elif kind == "sparse":
                with path.open("w") as stream:
                    stream.write(PASSWD)
                    stream.truncate(10 << 30)
            elif kind == "zero":
                path.symlink_to("/dev/zero")
            elif kind == "descriptor":
                path.symlink_to("/proc/self/fd/%d" % outside)
            elif kind in ("kmsg", "version"):
                path.symlink_to("/proc/" + kind)
            else:
                path.symlink_to({"init": "/proc/1/root", "test": "/proc/%d/root" % TEST, "self": "/proc/self/root",
                                 "cwd": "/proc/%d/cwd" % TEST, "up": "/../../../../.."}[kind] + canary)
        (root / "dev").mkdir(exist_ok=True)

    return more


TEST = os.getpid()
EVIL = ("fifo", "folder", "sparse", "zero", "descriptor", "kmsg", "version", "init", "test", "self", "cwd", "up")


@pytest.mark.parametrize("kind", EVIL)
def test_nothing_in_the_place_of_a_file_makes_it_wait_or_read_elsewhere(
    place: Callable[..., Place], canary: str, kind: str
) -> None:
    with open(canary, "rb") as stream:
        os.chdir("/")
        made = place(evil(kind, canary, stream.fileno()))
        scout = made.scout()
        started = time.monotonic()
        if kind == "sparse":
            assert scout.account("app").home == "/srv/app"
        else:
            with pytest.raises(Refused, match="passwd of web|no regular file"):
                scout.account("app")
        assert scout.account("1000:1000").uid == 1000
        with pytest.raises(OSError):
            scout.read("/etc/resolv.conf", 1 << 16)
        assert time.monotonic() - started < 3


@pytest.mark.parametrize("kind", ["test", "cwd"])
def test_the_naive_way_reads_the_hosts_file(
    place: Callable[..., Place], canary: str, kind: str, in_child: Callable[..., Any]
) -> None:
    """The control: the links above do lead out (those through process 1 too, where the kernel lets us)."""
    os.chdir("/")
    made = place(evil(kind, canary, -1))

    def naive() -> str:
        namespaces.setns(made.target.descriptors["mnt"], namespaces.CLONE_NEWNS)
        os.fchdir(made.target.root or -1)
        os.chroot(".")
        return Path("/etc/resolv.conf").read_text()

    assert in_child(naive) == CANARY


@pytest.mark.parametrize("path", ["/proc/self/root", "/proc/self/cwd", "/proc/self/fd/0", "/proc/%d/root" % TEST])
def test_magic_links_lead_nowhere(place: Callable[..., Place], canary: str, path: str) -> None:
    scout = place(lambda root: (root / "out").symlink_to(path)).scout()
    for start in (path, "/out"):
        for pattern in (start + canary, start + "/*"):
            with pytest.raises(Refused, match="ELOOP.*lead through /proc"):
                scout.exists(pattern)
        with pytest.raises(Refused, match="ELOOP"):
            scout.folder(start)
        with pytest.raises(Refused, match="ELOOP|EACCES"):
            scout.program("sh", start + "/bin")


def test_without_openat2_a_link_is_only_its_text(
    place: Callable[..., Place], canary: str, absent: Callable[[str], None]
) -> None:
    """Before Linux 5.6: /proc/PID/root reads "/", which is our own root."""
    absent("openat2")
    scout = place(evil("test", canary, -1)).scout()
    with pytest.raises(OSError):
        scout.read("/etc/resolv.conf", 1 << 16)
    assert scout.program("tool", "/bin") == "/bin/tool"


# Nothing else hangs like that; root, and whoever may open /dev/fuse, runs it.
@pytest.mark.skipif(not fuse.may_mount(), reason="fuse(4): /dev/fuse cannot be opened, so that no mount can hang")
def test_a_file_system_that_never_answers_costs_seconds(
    place: Callable[..., Place], in_child: Callable[..., Any]
) -> None:
    def more(root: Path) -> None:
        stop = fuse.mount(str(root / "empty"))
        stop()

    made = place(more)

    def look() -> tuple:
        # In a child: what waits for that file system ends with its server, and is nobody's to wait for here.
        scout = made.scout()
        scout.become(0, 0, [0])
        started = time.monotonic()
        with pytest.raises(Refused, match="ETIMEDOUT"):
            scout.exists("/empty/x")
        found = scout.exists("/srv/app/own")
        scout.close()
        return found, time.monotonic() - started < 10

    assert in_child(look) == (True, True), "another child, which has joined again"


LIBRARY = ("etc", "usr/share/locale/C.UTF-8/LC_MESSAGES", "usr/share/locale", "usr/share/locale/C.utf8/LC_MESSAGES",
           "usr/lib/locale", "usr/lib/x86_64-linux-gnu/gconv", "usr/lib/aarch64-linux-gnu/gconv", "usr/share/zoneinfo",
           "lib", "usr/lib", "bin", os.path.dirname(os.__file__)[1:], os.path.dirname(os.__file__)[1:] + "/encodings",
           os.path.dirname(os.__file__)[1:] + "/lib-dynload", sys.prefix[1:])
TRAPS = ("ld.so.preload", "ld.so.cache", "nsswitch.conf", "localtime", "locale.alias", "libc.mo", "gconv-modules",
         "gconv-modules.cache", "locale-archive", "__init__.py", "utf_8.py", "re.py", "os.py", "fnmatch.py", "json.py",
         "pyvenv.cfg", "libc.so.6", "libnss_files.so.2", "libgcc_s.so.1")
IN_OPEN = 0x20


def look_at_all(made: Place) -> None:
    """Everything that can be asked, and every way in which it can fail."""
    # As AnsibleModule does. In a process that has not asked for that language's messages before: the answer is kept.
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    scout = made.scout(capabilities=(1 << 41) - 1)
    scout.account("app:wheel")
    scout.become(0, 0, [0])
    for name in ("tool", "plain", "none", "/x\udcffä"):
        with suppress(Refused):
            scout.program(name, "/bin:/nowhere")
    scout.exists("/usr/*/loc*/none*")
    scout.exists("/none/ä/\udcff*")
    for path in ("/none", "/etc/nsswitch.conf", "/srv"):
        with suppress(Refused):
            scout.folder(path)
        with suppress(OSError):
            scout.read(path, 100)
    scout.close()


def test_nothing_inside_is_opened_but_what_was_asked_for(
    place: Callable[..., Place], in_child: Callable[..., Any]
) -> None:
    """No import, message catalogue, locale, NSS plugin: traps in their places, and a watch over every folder."""

    def more(root: Path) -> None:
        for folder in LIBRARY:
            (root / folder).mkdir(parents=True, exist_ok=True)
            for trap in TRAPS:
                if not (root / folder / trap).exists():
                    (root / folder / trap).touch()

    made = place(more)
    system = ctypes.CDLL(None, use_errno=True)
    watch = system.inotify_init1(os.O_NONBLOCK)
    folders = {system.inotify_add_watch(watch, b"%s/%s" % (bytes(made.root), name.encode()), IN_OPEN): name
               for name in LIBRARY}
    assert -1 not in folders
    in_child(lambda: look_at_all(made))
    opened = set()
    data = os.read(watch, 1 << 16)
    os.close(watch)
    while data:
        number, mask, dummy, length = struct.unpack_from("=iIII", data)
        if not mask & 0x40000000:  # IN_ISDIR
            opened.add(folders[number] + "/" + data[16:16 + length].rstrip(b"\0").decode())
        data = data[16 + length:]
    # Only what may be read: programs and paths are not opened at all.
    assert opened == {"etc/passwd", "etc/group", "etc/nsswitch.conf"}


def test_the_naive_way_opens_the_containers_catalogue(
    place: Callable[..., Place], in_child: Callable[..., Any]
) -> None:
    """The control: strerror(3) in another root, in a process whose messages are translated."""

    def more(root: Path) -> None:
        for name in ("C.UTF-8", "C.utf8", "C"):
            folder = root / "usr/share/locale" / name / "LC_MESSAGES"
            folder.mkdir(parents=True)
            (folder / "libc.mo").write_bytes(catalogue("No such file or directory"))

    made = place(more)

    def naive() -> str:
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
        os.fchdir(made.target.root or -1)
        os.chroot(".")
        return os.strerror(2)

    assert in_child(naive) == "owned"


def catalogue(message: str) -> bytes:
    """A .mo file that translates one message into C(owned)."""
    first, second = message.encode(), b"owned"
    return struct.pack("=7I", 0x950412DE, 0, 1, 28, 36, 0, 44) + struct.pack(
        "=4I", len(first), 44, len(second), 45 + len(first)) + first + b"\0" + second + b"\0"


def test_with_the_hosts_mounts_all_is_the_hosts(tmp_path: Path) -> None:
    scout = Scout(Target("web", types=["net"]), time.monotonic() + 10)
    try:
        scout.become(os.geteuid(), os.getegid(), [])
        assert not child_of(scout)
        assert scout.program("sh", os.environ["PATH"]) == shutil.which("sh")
        (tmp_path / "file").touch()
        assert scout.exists("f*", str(tmp_path)) and not scout.exists("g*", str(tmp_path))
        assert scout.account("root").uid == 0
        scout.folder("/proc/self/cwd")
        assert scout.read(str(tmp_path / "file"), 10) == b""
        with pytest.raises(Refused, match="nosuch is not on the host"):
            scout.program("nosuch", "/bin")
        with pytest.raises(Refused, match="on the host .*ENOENT"):
            scout.folder("/nosuch")
    finally:
        scout.close()


def test_with_the_hosts_mounts_another_user_looks_for_itself(tmp_path: Path, host_root: bool) -> None:
    needs_users(host_root)
    secret = tmp_path / "secret"
    secret.mkdir(mode=0o700)
    (secret / "file").touch()
    scout = Scout(Target("web", types=["net"]), time.monotonic() + 10)
    try:
        assert scout.exists(str(secret / "file"))
        scout.become(65534, 65534, [65534])
        assert not scout.exists(str(secret / "file"))
    finally:
        scout.close()


def test_nothing_is_left(place: Callable[..., Place], tmp_path: Path) -> None:
    made = place()
    before = os.listdir("/proc/self/fd")
    for dummy in range(3):
        scout = made.scout()
        scout.account("app")
        scout.close()
    local = Scout(Target("web", types=["net"]), time.monotonic() + 10)
    local.exists("/")
    local.close()
    assert os.listdir("/proc/self/fd") == before


def test_it_is_quick(place: Callable[..., Place]) -> None:
    """A look at users, a program, a folder and a path: milliseconds of our own time."""
    made = place()
    times = []
    for dummy in range(9):
        started = time.monotonic()
        scout = made.scout()
        account = scout.account("root")
        scout.become(account.uid, account.gid, account.groups)
        scout.folder("/srv")
        scout.program("tool", "/usr/bin:/bin")
        scout.exists("/srv/*")
        scout.close()
        times.append(time.monotonic() - started)
    assert sorted(times)[4] < 0.2, times
