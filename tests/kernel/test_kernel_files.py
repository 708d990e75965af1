# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""openat2, close_range and memory files on the real kernel."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import signal
import threading
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import files, libc, memfd
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import errno_of, since


@pytest.fixture
def tree(tmp_path: Path) -> int:
    """A directory with a file, a way out and a magic link; its descriptor."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "file").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    (tmp_path / "root" / "out").symlink_to("../secret")
    (tmp_path / "root" / "absolute").symlink_to("/file")
    (tmp_path / "root" / "magic").symlink_to("/proc/self/exe")
    return os.open(tmp_path / "root", os.O_RDONLY | os.O_DIRECTORY)


def content(fd: int) -> str:
    with open(fd) as stream:
        return stream.read()


@since(5, 6)
def test_openat2_opens_close_on_exec(tree: int) -> None:
    fd = files.openat2(tree, "file", os.O_RDONLY, resolve=files.RESOLVE_BENEATH)
    assert not os.get_inheritable(fd)
    assert content(fd) == "inside"


@since(5, 6)
def test_openat2_creates_with_the_mode(tree: int) -> None:
    os.close(files.openat2(tree, "new", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    assert os.stat("new", dir_fd=tree).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "path, resolve, code",
    [
        ("out", files.RESOLVE_BENEATH, errno.EXDEV),
        ("../secret", files.RESOLVE_BENEATH, errno.EXDEV),
        ("/file", files.RESOLVE_BENEATH, errno.EXDEV),
        ("out", files.RESOLVE_NO_SYMLINKS, errno.ELOOP),
        ("magic", files.RESOLVE_NO_MAGICLINKS, errno.ELOOP),
        ("/proc/self", files.RESOLVE_NO_XDEV, errno.EXDEV),
        ("out", files.RESOLVE_IN_ROOT, errno.ENOENT),
        ("file", 1 << 40, errno.EINVAL),
    ],
)
@since(5, 6)
def test_openat2_stays_within_what_it_is_told(tree: int, path: str, resolve: int, code: int) -> None:
    assert errno_of(files.openat2, tree, path, os.O_RDONLY, resolve=resolve) == code


@since(5, 6)
def test_openat2_in_root_takes_links_from_there(tree: int) -> None:
    assert content(files.openat2(tree, "absolute", os.O_RDONLY, resolve=files.RESOLVE_IN_ROOT)) == "inside"


def interrupted(codes: list[int]) -> Callable[..., int]:
    """The real call, after failures with these errnos."""

    def call(name: str, *args: Any) -> int:
        if codes:
            code = codes.pop(0)
            raise OSError(code, os.strerror(code))
        return libc.syscall(name, *args)

    return call


@since(5, 6)
def test_openat2_tries_again_when_renames_were_in_its_way(tree: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "syscall", interrupted([errno.EAGAIN, errno.EINTR, errno.EAGAIN]))
    assert content(files.openat2(tree, "file", os.O_RDONLY, resolve=files.RESOLVE_BENEATH)) == "inside"


def test_openat2_gives_up_in_the_end(tree: int, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [errno.EAGAIN] * 1000
    monkeypatch.setattr(files, "syscall", interrupted(codes))
    assert errno_of(files.openat2, tree, "file", os.O_RDONLY) == errno.EAGAIN
    assert len(codes) == 1000 - 64


@since(5, 6)
def test_openat2_goes_on_after_a_signal(in_child: Callable[..., Any], tmp_path: Path) -> None:
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)

    def look() -> list[str]:
        events: list[str] = []

        def handler(number: int, frame: object) -> None:
            events.append("signal")
            if len(events) == 2:  # now somebody opens the other side, and the open that waits can end
                os.open(fifo, os.O_RDWR | os.O_NONBLOCK)

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        os.close(files.openat2(files.AT_FDCWD, fifo, os.O_RDONLY))
        signal.setitimer(signal.ITIMER_REAL, 0)
        return events[:2]

    assert in_child(look) == ["signal", "signal"]


def test_a_kernel_without_openat2_is_typed(absent: Callable[[str], None]) -> None:
    absent("openat2")
    with pytest.raises(libc.KernelLacks, match=r"no openat2 \(Linux 5.6"):
        files.openat2(files.AT_FDCWD, "/", os.O_RDONLY)


def test_a_kernel_without_resolve_cached_is_typed(tree: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "syscall", interrupted([errno.EINVAL]))
    with pytest.raises(libc.KernelLacks, match="RESOLVE_CACHED"):
        files.openat2(tree, "file", os.O_RDONLY, resolve=files.RESOLVE_CACHED)


@pytest.fixture(params=["close_range", "/proc/self/fd", "directory"])
def closing(request: pytest.FixtureRequest) -> Callable[..., None]:
    """close_range as the kernel has it, and both ways round where it does not."""
    if request.param == "close_range":
        return files.close_range
    request.getfixturevalue("absent")("close_range")
    if request.param == "/proc/self/fd":
        return files.close_range

    def through_a_directory(*args: int) -> None:
        directory = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
        try:
            files.close_range(*args, fd_directory=directory)
        finally:
            if args[-1] & files.CLOSE_RANGE_CLOEXEC:
                os.close(directory)

    return through_a_directory


def open_descriptors() -> list[int]:
    return [fd for fd in range(3, 300) if not errno_of(fcntl.fcntl, fd, fcntl.F_GETFD)]


def test_close_range_closes_the_range_only(closing: Callable[..., None], in_child: Callable[..., Any]) -> None:
    def look() -> list[bool]:
        for fd in (100, 150, 200, 250):
            os.dup2(0, fd)
        closing(101, 200, 0)
        return [fd in open_descriptors() for fd in (100, 150, 200, 250)]

    assert in_child(look) == [True, False, False, True]


def test_close_range_marks_close_on_exec(closing: Callable[..., None], in_child: Callable[..., Any]) -> None:
    def look() -> list[bool]:
        for fd in (100, 150, 250):
            os.dup2(0, fd)
            os.set_inheritable(fd, True)
        closing(101, 200, files.CLOSE_RANGE_CLOEXEC)
        return [os.get_inheritable(fd) for fd in (100, 150, 250)]

    assert in_child(look) == [True, False, True]


def test_close_range_to_the_highest_possible(closing: Callable[..., None], in_child: Callable[..., Any]) -> None:
    def look() -> list[int]:
        os.dup2(0, 299)
        kept = max(open_descriptors()[:-1])  # the pipe to the test is below
        closing(kept + 1, files.HIGHEST_FD, 0)
        return [fd for fd in open_descriptors() if fd > kept]

    assert in_child(look) == []


def test_close_range_unshares_the_table_first(closing: Callable[..., None], in_child: Callable[..., Any]) -> None:
    def look() -> tuple:
        os.dup2(0, 150)
        seen_by_thread: list[bool] = []

        def work() -> None:
            closing(150, 150, files.CLOSE_RANGE_UNSHARE)
            seen_by_thread.append(150 in open_descriptors())

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return seen_by_thread, 150 in open_descriptors()

    assert in_child(look) == ([False], True)


def test_close_range_marks_on_a_kernel_that_knows_no_cloexec(
    monkeypatch: pytest.MonkeyPatch, in_child: Callable[..., Any]
) -> None:
    # 5.9 and 5.10 answer EINVAL to the flag.
    monkeypatch.setattr(memfd, "syscall", interrupted([errno.EINVAL]))

    def look() -> bool:
        os.dup2(0, 150)
        files.close_range(150, 150, files.CLOSE_RANGE_CLOEXEC)
        return os.get_inheritable(150)

    assert in_child(look) is False


@pytest.mark.parametrize(
    "last, flags, code",
    [(8, 0, errno.EINVAL), (8, files.CLOSE_RANGE_CLOEXEC, errno.EINVAL), (10, 0, errno.EMFILE)],
    ids=["the wrong way round", "also with cloexec", "out of memory for tables"],
)
def test_another_refusal_of_close_range_is_kept(
    last: int, flags: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "syscall", interrupted([code]))
    assert errno_of(files.close_range, 9, last, flags) == code


@since(5, 9)
def test_close_range_the_wrong_way_round_is_einval() -> None:
    assert errno_of(files.close_range, 9, 8) == errno.EINVAL


def test_without_close_range_and_proc_it_is_refused(absent: Callable[[str], None]) -> None:
    absent("close_range")
    with pytest.raises(libc.KernelLacks, match="close_range"):
        files.close_range(1000, 1001, fd_directory=1_000_000)


def test_a_sealed_memory_file_cannot_be_written() -> None:
    fd = memfd.memfd_create("nsfleet")
    assert not os.get_inheritable(fd)
    os.write(fd, b"program")
    memfd.seal(fd, memfd.F_SEAL_SEAL | memfd.F_SEAL_SHRINK | memfd.F_SEAL_GROW | memfd.F_SEAL_WRITE)
    assert memfd.seals_of(fd) == 0xF
    assert errno_of(os.pwrite, fd, b"x", 0) == errno.EPERM
    assert errno_of(memfd.seal, fd, memfd.F_SEAL_WRITE) == errno.EPERM
    os.close(fd)


def test_write_is_not_sealed_while_it_is_mapped() -> None:
    fd = memfd.memfd_create("nsfleet")
    os.ftruncate(fd, 4096)
    with mmap.mmap(fd, 4096):
        assert errno_of(memfd.seal, fd, memfd.F_SEAL_WRITE) == errno.EBUSY
    os.close(fd)


def test_what_cannot_be_sealed_is_einval_and_not_a_lack() -> None:
    with open(os.devnull, "w") as null:
        assert errno_of(memfd.seal, null.fileno(), memfd.F_SEAL_SEAL) == errno.EINVAL


def test_an_unknown_seal_is_a_lack() -> None:
    fd = memfd.memfd_create("nsfleet")
    with pytest.raises(libc.KernelLacks, match="seals 0x40000000"):
        memfd.seal(fd, 1 << 30)
    os.close(fd)


@since(6, 3)
def test_noexec_seal_takes_the_right_to_execute_for_good() -> None:
    fd = memfd.memfd_create("nsfleet", memfd.MFD_CLOEXEC | memfd.MFD_NOEXEC_SEAL)
    assert memfd.seals_of(fd) & memfd.F_SEAL_EXEC
    assert os.fstat(fd).st_mode & 0o111 == 0
    assert errno_of(os.fchmod, fd, 0o755) == errno.EPERM
    os.close(fd)


@since(6, 3)
def test_a_memory_file_that_may_be_executed_says_so() -> None:
    fd = memfd.memfd_create("nsfleet", memfd.MFD_CLOEXEC | memfd.MFD_EXEC)
    assert os.fstat(fd).st_mode & 0o111
    os.close(fd)


def test_a_kernel_without_the_flags_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memfd, "syscall", interrupted([errno.EINVAL]))
    with pytest.raises(libc.KernelLacks, match=r"\(Linux 6.3"):
        memfd.memfd_create("nsfleet", memfd.MFD_EXEC)


def test_a_name_that_is_too_long_is_einval_and_not_a_lack() -> None:
    assert errno_of(memfd.memfd_create, "n" * 250, memfd.MFD_CLOEXEC | memfd.MFD_EXEC) == errno.EINVAL


def test_a_kernel_without_memfd_create_is_typed(absent: Callable[[str], None]) -> None:
    absent("memfd_create")
    with pytest.raises(libc.KernelLacks, match=r"no memfd_create \(Linux 3.17"):
        memfd.memfd_create("nsfleet")
