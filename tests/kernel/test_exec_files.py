# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files a command has written in a container: an overlay, a volume, a tmpfs and a file that is a mount, all in a
private mount namespace. Commands enter with nsenter."""

from __future__ import annotations

import errno
import os
import pathlib
import select
import signal
import subprocess
import time
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import changed_files, file_marks, mount_view
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.changed_files import FileChanges
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import (
    fanotify,
    libc,
    mounts,
    namespaces,
    perf_tasks,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Changes, Target

SECONDS = 30.0
# Forks more than ten times a second; each writer is gone before anybody could ask who it was.
NOISE = """
while :; do
    sh -c 'echo x >>/log; echo x >/tree/log.$$; rm /tree/log.$$; touch /vol/log; echo >/shm/log; chmod 600 /tree/old' &
    sleep 0.02
done
"""


def build(where: pathlib.Path) -> None:
    """In a child with mounts of its own: make the container's root and go there. The layers are files of the host."""
    mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
    for name in ("upper", "work", "root", "volume", "lower/tree/deep", "lower/etc"):
        os.makedirs(where / name)
    for name in ("vol", "shm", "proc", "dev", "tmp", "usr"):
        os.mkdir(where / "lower" / name)
    for name in ("bin", "sbin", "lib", "lib64"):
        os.symlink("usr/" + name, where / "lower" / name)
    for name in ("lower/tree/old", "lower/tree/deep/leaf", "lower/etc/hosts", "hosts", "volume/old"):
        (where / name).write_text("before")
    root = str(where / "root")
    layers = f"lowerdir={where}/lower,upperdir={where}/upper,workdir={where}/work"
    mounts.mount("o", root, "overlay", 0, layers)
    mounts.mount(str(where / "volume"), root + "/vol", None, mounts.MS_BIND)
    mounts.mount("shm", root + "/shm", "tmpfs")
    mounts.mount(str(where / "hosts"), root + "/etc/hosts", None, mounts.MS_BIND)
    for name in ("/usr", "/dev", "/proc"):
        mounts.mount(name, root + name, None, mounts.MS_BIND | mounts.MS_REC)
    kept = os.statvfs(root + "/usr").f_flag & (os.ST_NOSUID | os.ST_NODEV)
    mounts.mount(None, root + "/usr", None, mounts.MS_BIND | mounts.MS_REMOUNT | mounts.MS_RDONLY | kept)
    (where / "root/shm/old").write_text("before")
    (where / "root/shm/empty").touch()
    os.chroot(root)
    os.chdir("/")


@pytest.fixture
def container(held: Callable[..., Any], tmp_path: pathlib.Path) -> Iterator[Target]:
    """A container that does nothing."""
    yield from opened(held(lambda: build(tmp_path), namespaces.CLONE_NEWNS).pid)


@pytest.fixture
def busy(held: Callable[..., Any], tmp_path: pathlib.Path) -> Iterator[Target]:
    """One that goes on writing."""

    def start() -> int:
        build(tmp_path)
        return subprocess.Popen(["sh", "-c", NOISE], start_new_session=True).pid

    child = held(start, namespaces.CLONE_NEWNS)
    try:
        yield from opened(child.pid)
    finally:
        os.killpg(child.said, signal.SIGKILL)


def opened(pid: int) -> Iterator[Target]:
    root = os.open("/proc/%d/root" % pid, os.O_PATH)
    mnt = os.open("/proc/%d/ns/mnt" % pid, os.O_RDONLY)
    yield Target("test", pid=pid, root=root, types=["mnt"], descriptors={"mnt": mnt})
    os.close(root)
    os.close(mnt)


@pytest.fixture
def watched(host_root: bool) -> None:
    if not host_root:
        pytest.skip("whole file systems are watched only with CAP_SYS_ADMIN in the initial user namespace")


def start(target: Target, *command: str) -> tuple[int, int]:
    """A process that enters the target and executes the command when its pipe is closed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(writing)
            os.read(reading, 1)
            holder = "/proc/%s" % target.pid
            os.execvp("nsenter", ["nsenter", "--mount=%s/ns/mnt" % holder, "--root=%s/root" % holder,
                                  "--wd=%s/root" % holder, "--", *command])
        finally:
            os._exit(99)
    os.close(reading)
    return pid, writing


def watch(target: Target, *command: str, fails: bool = False, files: FileChanges | None = None) -> Changes:
    """What the command is seen to change, as the worker goes about it."""
    time.sleep(0.02)  # a tick of the clock: what was made just before would be taken for later
    files = files or FileChanges(target, time.monotonic() + 2)
    try:
        pid, pipe = start(target, *command)
        files.follow(pid)
        os.close(pipe)
        poll = select.poll()
        for descriptor in files.descriptors():
            poll.register(descriptor, select.POLLIN)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                assert fails or status == 0, "%s: %d" % (command, status)
                return files.finish()
            if poll.poll(20):
                files.read()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise AssertionError("%s did not end" % (command,))
    finally:
        files.close()


def shell(target: Target, script: str, **options: Any) -> Changes:
    return watch(target, "sh", "-c", script, **options)


WRITTEN = ", written"
SET = ", owner, mode, times or attributes set"
PYTHON = "/usr/bin/python3"
MAPPED = "import mmap,sys; f=open(sys.argv[1],'r+b'); m=mmap.mmap(f.fileno(),0); m[0:1]=%r; m.close(); f.close()"

KINDS = {
    "a new file": ("echo >/tree/new", [], ["file /tree/new"]),
    "a new file of the volume": ("echo >/vol/new", [], ["file /vol/new"]),
    "a new file in memory": ("echo >/shm/new", [], ["file /shm/new"]),
    "a new file in a lower directory": ("echo >/tree/deep/new", [], ["file /tree/deep/new"]),
    "a new directory": ("mkdir /tree/new", [], ["directory /tree/new"]),
    "a new link": ("ln -s nowhere /tree/new", [], ["link /tree/new"]),
    "a new FIFO": ("mkfifo /vol/new", [], ["FIFO /vol/new"]),
    "another name": ("ln /vol/old /vol/new", [], ["file /vol/new"]),
    "a lower file written": ("echo >>/tree/old", ["file /tree/old"], ["file /tree/old" + WRITTEN]),
    "a volume's file written": ("echo >>/vol/old", ["file /vol/old"], ["file /vol/old" + WRITTEN]),
    "a file in memory written": ("echo >>/shm/old", ["file /shm/old"], ["file /shm/old" + WRITTEN]),
    "a file that is a mount": ("echo >>/etc/hosts", ["file /etc/hosts"], ["file /etc/hosts" + WRITTEN]),
    "a lower file removed": ("rm /tree/old", ["file /tree/old"], []),
    "a volume's file removed": ("rm /vol/old", ["file /vol/old"], []),
    "a lower file's mode": ("chmod 640 /tree/old", ["file /tree/old"], ["file /tree/old" + WRITTEN]),
    "a volume's file's mode": ("chmod 640 /vol/old", ["file /vol/old"], ["file /vol/old" + SET]),
    "times": ("touch /vol/old", ["file /vol/old"], ["file /vol/old" + SET]),
    "an owner": ("chown 1:1 /shm/old", ["file /shm/old"], ["file /shm/old" + SET]),
    "the mode of a file that is a mount": ("chmod 640 /etc/hosts", ["file /etc/hosts"], ["file /etc/hosts" + SET]),
    "a directory's mode": ("chmod 700 /vol", ["directory /vol"], ["directory /vol" + SET]),
    "a lower directory's mode": ("chmod 700 /tree/deep", ["directory /tree/deep"], ["directory /tree/deep" + SET]),
    "a renamed file": ("mv /vol/old /vol/new", ["file /vol/old"], ["file /vol/new"]),
    "a renamed lower file": ("mv /tree/old /tree/new", ["file /tree/old"], ["file /tree/new"]),
    "a replaced file": ("echo >/vol/.new; mv /vol/.new /vol/old", [], ["file /vol/old"]),
    "removed and made again": ("rm /vol/old; echo >/vol/old", ["file /vol/old"], ["file /vol/old" + WRITTEN]),
    "a removed lower directory": ("rm -r /tree/deep", ["directory /tree/deep"], []),
    "a cut file": (": >/vol/old", ["file /vol/old"], ["file /vol/old" + WRITTEN]),
}
NOTHING = {
    "find": "find /tree /vol /shm /etc >/dev/null",
    "ls": "ls -lR /tree /vol /shm /dev >/dev/null",
    "cat": "cat /tree/old /vol/old /shm/old /etc/hosts >/dev/null",
    "redirection to a device": "echo x >/dev/null 2>/dev/null; dd if=/dev/zero of=/dev/null count=1 2>/dev/null",
    "a file made and removed": "for d in tree vol shm; do echo >/$d/new; rm /$d/new; done",
    "a directory made and removed": "mkdir -p /tree/a/b; echo >/tree/a/b/c; rm -r /tree/a",
    "made, renamed and removed": "echo >/vol/a; mv /vol/a /vol/b; chmod 600 /vol/b; rm /vol/b",
    "opened for writing only": ": >>/vol/old; exec 3<>/vol/old; exec 3>&-",
    "a here-document": "cat <<EOF >/dev/null\n$(seq 100)\nEOF",
    "an unnamed file": PYTHON + " -c 'import tempfile; tempfile.TemporaryFile(dir=\"/vol\").write(b\"x\")'",
    "an empty file in memory opened for writing": ": >>/shm/empty",
    "forks": "for i in $(seq 50); do (true); done",
}


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_change_is_told_with_the_container_s_name(container: Target, kind: str) -> None:
    script, before, after = KINDS[kind]
    found = shell(container, script)
    assert not found.unproven
    assert (found.before, found.after) == (before, after)


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("kind", NOTHING)
def test_a_command_that_only_looks_changes_nothing(container: Target, kind: str) -> None:
    assert shell(container, NOTHING[kind]) == Changes([], [], [])


@pytest.mark.usefixtures("watched")
def test_a_mount_that_is_watched_can_be_unmounted(container: Target) -> None:
    # What is open below a mount keeps it busy.
    assert shell(container, "umount /shm && umount /vol && umount /etc/hosts") == Changes([], [], [])


@pytest.mark.usefixtures("watched")
def test_what_is_written_before_its_mount_is_gone_is_unproven(container: Target) -> None:
    found = shell(container, "echo >/shm/new && umount /shm")
    assert found.unproven == ["what was written below /shm is not known by name: it is not mounted there any more"]


@pytest.mark.usefixtures("watched")
def test_what_is_covered_afterwards_is_not_looked_for_where_it_was(container: Target) -> None:
    found = shell(container, "echo >/shm/new && mount -t tmpfs over /shm && echo >/shm/other")
    assert found.unproven == ["what was written below /shm is not known by name: it is not mounted there any more"]


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("options", ["remount,ro", "remount,bind,ro"])
def test_a_read_only_mount_that_is_written_to_for_a_moment_is_watched(container: Target, options: str) -> None:
    remount = "mount -i -n -o %s /shm" % options
    assert shell(container, remount) == Changes([], [], [])
    found = shell(container, remount.replace("ro", "rw") + " && echo >/shm/new && " + remount)
    assert found == Changes([], ["file /shm/new"], [])


@pytest.mark.usefixtures("watched")
def test_what_others_write_beside_it_is_not_the_command_s(busy: Target) -> None:
    log = "/proc/%d/root/log" % (busy.pid or 0)
    before = os.stat(log).st_size if os.path.exists(log) else 0
    assert shell(busy, "for i in $(seq 30); do ls /tree /vol >/dev/null; sleep 0.01; done") == Changes([], [], [])
    assert os.stat(log).st_size > before + 10, "the noise made none"


@pytest.mark.usefixtures("watched")
def test_the_command_s_own_change_is_told_among_others(busy: Target) -> None:
    assert shell(busy, "sleep 0.3; echo >/vol/new; sleep 0.1") == Changes([], ["file /vol/new"], [])


@pytest.mark.usefixtures("watched")
def test_a_grandchild_that_left_the_session_and_is_gone_counts(busy: Target) -> None:
    script = "setsid sh -c '(setsid sh -c \"echo >/vol/new\" &)' & wait; sleep 0.3"
    assert shell(busy, script) == Changes([], ["file /vol/new"], [])


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("path", ["/vol/old", "/shm/old", "/tree/old"])
def test_writing_through_a_mapping_counts(container: Target, path: str) -> None:
    found = watch(container, PYTHON, "-c", MAPPED % b"X", path)
    assert found == Changes(["file " + path], ["file %s, written" % path], [])


@pytest.mark.usefixtures("watched")
def test_a_mapping_in_memory_that_leaves_no_trace_is_unproven(container: Target) -> None:
    script = MAPPED.replace("m[0:1]=%r", "x=m[0]; m[0:1]=b'X'")
    found = watch(container, PYTHON, "-c", script, "/shm/old")
    assert "file /shm/old" in "".join(found.unproven) or found.after == ["file /shm/old, written"]


@pytest.mark.usefixtures("watched")
def test_a_file_replaced_and_then_removed_is_a_change(container: Target) -> None:
    found = shell(container, "echo >/vol/new; mv /vol/new /vol/old; rm /vol/old")
    assert found.before
    assert not os.path.exists("/proc/%d/root/vol/old" % (container.pid or 0))


@pytest.mark.usefixtures("watched")
def test_a_name_cannot_forge_a_line(container: Target) -> None:
    found = watch(container, PYTHON, "-c", r"open(b'/vol/a\nfile \x1b[2J\xff', 'w')")
    assert found.after == [r"file /vol/a\x0afile \x1b[2J\xff"]


@pytest.mark.usefixtures("watched")
def test_a_hundred_thousand_events_are_taken_in_time(container: Target) -> None:
    script = "import os\nfor i in range(24000): f='/shm/%d' % i; open(f, 'w').write('x'); os.unlink(f)"
    started = time.process_time()
    found = watch(container, PYTHON, "-c", script)
    assert (found.before, found.after) == ([], [])
    assert found.unproven in ([], ["no time was left to look at all that was written"])
    assert time.process_time() - started < 6


@pytest.mark.usefixtures("watched")
def test_more_files_than_the_bound_are_unproven_and_not_all_named(
    container: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed_files, "MOST_ENTRIES", 100)
    monkeypatch.setattr(changed_files, "MOST_LINES", 10)
    found = shell(container, "cd /shm; seq 200 | xargs touch")
    assert found.unproven == ["more than 100 files were written"]
    assert len(found.after) == 11


@pytest.mark.usefixtures("watched")
def test_an_overflow_of_the_queue_is_unproven(container: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanotify, "_FAN_UNLIMITED_QUEUE", 0)
    files = FileChanges(container, time.monotonic() + 2)
    monkeypatch.setattr(files, "read", lambda: None)
    pid, pipe = start(container, "sh", "-c", "cd /shm; seq 9000 | xargs touch")
    files.follow(pid)
    os.close(pipe)
    os.waitpid(pid, 0)
    monkeypatch.undo()
    found = files.finish()
    files.close()
    assert "more was written than the kernel could report" in found.unproven


@pytest.mark.usefixtures("watched")
def test_lost_records_of_processes_make_strangers_writes_unproven(
    busy: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perf_tasks, "_NEARLY", 1 << 30)
    found = shell(busy, "sleep 0.3; true")
    assert "may not be the command's (it started processes faster" in "".join(found.unproven)


@pytest.mark.usefixtures("watched")
def test_without_perf_who_is_gone_is_unproven(busy: Target, absent: Callable[[str], None]) -> None:
    absent("perf_event_open")
    found = shell(busy, "sleep 0.3; true")
    assert "may not be the command's (perf: this kernel has no perf_event_open" in "".join(found.unproven)


@pytest.mark.usefixtures("watched")
def test_without_perf_what_others_write_elsewhere_on_the_same_disk_is_nothing(
    container: Target, tmp_path: pathlib.Path, absent: Callable[[str], None]
) -> None:
    absent("perf_event_open")
    files = FileChanges(container, time.monotonic() + 2)
    subprocess.run(["sh", "-c", 'echo >"$1/elsewhere"', "-", str(tmp_path)], check=True)
    assert shell(container, "cat /vol/old", files=files) == Changes([], [], [])


@pytest.mark.usefixtures("watched")
def test_children_of_a_program_that_changes_its_user_are_not_taken_for_strangers(busy: Target) -> None:
    # The kernel stops recording at such a program: only this can be said.
    script = "cp /bin/dash /shm/dash; chown 65534 /shm/dash; chmod 4755 /shm/dash"
    assert shell(busy, script).after
    found = shell(busy, "/shm/dash -c 'sh -c \"echo >/tmp/x; sleep 0.1\"'", fails=True)
    assert "set-user-ID program" in "".join(found.unproven)


def test_without_fanotify_files_are_found_by_their_times(
    container: Target, absent: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent("fanotify_init")
    time.sleep(0.05)
    found = shell(container, "echo >/vol/new; rm /tree/old; sleep 0.05")
    assert {"file /vol/new, written", "directory /vol, written"} <= set(found.after)
    assert "by whom is not known (fanotify: " in "".join(found.unproven)


def test_without_fanotify_nothing_written_is_nothing_changed(
    held: Callable[..., Any], absent: Callable[[str], None]
) -> None:
    absent("fanotify_init")

    def plain_root() -> None:
        # No mount itself: only a directory that somebody changed the root to.
        mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        mounts.mount("t", "/mnt", "tmpfs")
        for name in ("proc", "usr"):
            os.makedirs("/mnt/root/" + name)
            mounts.mount("/" + name, "/mnt/root/" + name, None, mounts.MS_BIND | mounts.MS_REC)
        kept = os.statvfs("/mnt/root/usr").f_flag & (os.ST_NOSUID | os.ST_NODEV)
        mounts.mount(None, "/mnt/root/usr", None, mounts.MS_BIND | mounts.MS_REMOUNT | mounts.MS_RDONLY | kept)
        for name in ("bin", "sbin", "lib", "lib64"):
            os.symlink("usr/" + name, "/mnt/root/" + name)
        os.chroot("/mnt/root")
        os.chdir("/")

    target = next(opened(held(plain_root, namespaces.CLONE_NEWNS).pid))
    time.sleep(0.05)
    assert shell(target, "ls /usr") == Changes([], [], [])
    found = shell(target, "touch /x")
    assert "file /x, written" in found.after and found.unproven


@pytest.mark.usefixtures("watched")
def test_a_root_that_is_no_mount_is_watched(in_child: Callable[..., Any], tmp_path: pathlib.Path) -> None:
    (tmp_path / "old").write_text("before")
    target = Target("test", pid=os.getpid(), root=os.open(tmp_path, os.O_PATH))

    def in_the_root_only(root: object) -> list[mount_view.MountLine]:
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mount_view.MountView, "read", in_the_root_only)
        files = FileChanges(target, time.monotonic() + 2)
    pid = os.fork()
    if pid == 0:
        time.sleep(0.1)
        os.execvp("sh", ["sh", "-c", "echo >>%s/old" % tmp_path])
    files.follow(pid)
    os.waitpid(pid, 0)
    found = files.finish()
    files.close()
    assert found == Changes(["file /old"], ["file /old, written"], [])


@pytest.mark.parametrize("lacking", [errno.EOPNOTSUPP, errno.ENODEV])
@pytest.mark.usefixtures("watched")
def test_a_file_system_that_cannot_be_marked_is_walked(
    container: Target, monkeypatch: pytest.MonkeyPatch, lacking: int
) -> None:
    def refuse(group: int, descriptor: int, whole: bool) -> None:
        raise OSError(lacking, os.strerror(lacking))

    monkeypatch.setattr(file_marks, "mark", refuse)
    time.sleep(0.05)
    found = shell(container, "echo >/vol/new")
    assert "file /vol/new, written" in found.after
    assert "by whom is not known" in "".join(found.unproven)


def test_a_walk_over_too_much_is_unproven(
    container: Target, absent: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent("fanotify_init")
    monkeypatch.setattr(changed_files, "MOST_ENTRIES", 3)
    assert "more than 3 files to look at" in shell(container, "true").unproven


def test_a_user_in_a_namespace_of_their_own_never_gets_a_group_without_authors(
    container: Target, in_child: Callable[..., Any]
) -> None:
    def inside() -> tuple[int, int]:
        # As a kernel that makes one for anybody.
        file_marks.fanotify_init = lambda: os.open("/dev/null", os.O_RDONLY)
        files = FileChanges(Target("test", pid=os.getpid(), root=os.open("/", os.O_PATH)), time.monotonic() + 2)
        try:
            return len(files._marks.groups), len(files._marks.walks)
        finally:
            files.close()

    groups, walks = in_child(inside, namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNS)
    assert groups == 0 and walks > 0


@pytest.mark.usefixtures("watched")
def test_a_namespace_without_a_process_is_watched_too(container: Target, tmp_path: pathlib.Path) -> None:
    # Its root is that of the namespace: the machine's.
    bare = Target("test", types=["mnt"], descriptors=container.descriptors)
    files = FileChanges(bare, time.monotonic() + 2)
    found = shell(container, "echo >/vol/new", files=files)
    assert [line for line in found.after if line.endswith("new")] == ["file %s/volume/new" % tmp_path]


@pytest.mark.usefixtures("watched")
def test_a_remote_file_system_is_unproven(container: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_marks, "_REMOTE", frozenset(("tmpfs",)))
    assert "files below /shm (tmpfs) cannot be watched" in shell(container, "true").unproven


@pytest.mark.usefixtures("watched")
def test_nothing_stays_open(container: Target) -> None:
    shell(container, "true")
    before = sorted(os.listdir("/proc/self/fd"))
    shell(container, "true")
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_group_with_names_is_a_kernel_lack_before_5_9(monkeypatch: pytest.MonkeyPatch, host_root: bool) -> None:
    if not host_root:
        pytest.skip("who may not is refused before the flags are looked at")
    monkeypatch.setattr(fanotify, "_FAN_REPORT_NAME", 1 << 30)
    with pytest.raises(libc.KernelLacks, match="Linux 5.9"):
        fanotify.fanotify_init()
