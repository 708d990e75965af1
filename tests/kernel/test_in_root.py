# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""openat2(2) and the way without it find the same files below a root directory, and neither leaves it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.in_root import open_in_root, walk_in_root

Open = Callable[[int, str], int]
BOTH = pytest.mark.parametrize("find", [open_in_root, walk_in_root], ids=["openat2", "walk"])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A root directory with links of every kind, and something beside it that must not be found."""
    folder = tmp_path_factory.mktemp("place")
    inside = folder / "root"
    (inside / "etc" / "deep").mkdir(parents=True)
    (folder / "file").write_text("outside")
    (inside / "file").write_text("inside")
    (inside / "etc" / "file").write_text("etc")
    for name, target in {
        "etc/up": "../../../file", "etc/absolute": "/file", "etc/relative": "file", "etc/folder": "deep",
        "etc/deep/back": "../absolute", "etc/loop": "loop", "etc/dangling": "/nowhere", "etc/root": "/",
        "etc/dots": "..", "etc/through": "/etc/root/etc/../file",
    }.items():
        (inside / name).symlink_to(target)
    descriptor = os.open(inside, os.O_PATH)
    yield descriptor
    os.close(descriptor)


def content(find: Open, root: int, path: str) -> str:
    """What is found, or the name of the errno."""
    try:
        handle = find(root, path)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    try:
        if os.path.isdir("/proc/self/fd/%d" % handle):
            return "folder %d" % os.fstat(handle).st_ino
        return Path("/proc/self/fd/%d" % handle).read_text()
    finally:
        os.close(handle)


@BOTH
@pytest.mark.parametrize("path, found", [
    ("etc/file", "etc"), ("/etc/file", "etc"), ("etc/up", "inside"), ("../../file", "inside"),
    ("etc/absolute", "inside"), ("etc/relative", "etc"), ("etc/deep/back", "inside"), ("etc/through", "inside"),
    ("etc/root/file", "inside"), ("etc/dots/file", "inside"), ("etc/loop", "ELOOP"), ("etc/dangling", "ENOENT"),
    ("etc/file/x", "ENOTDIR"), ("etc/none", "ENOENT"),
])
def test_what_a_path_leads_to(find: Open, root: int, path: str, found: str) -> None:
    assert content(find, root, path) == found


NAMES = (
    "etc", "deep", "file", "up", "absolute", "relative", "folder", "back", "loop", "root", "dots", "through", "..", ".",
    "",
)


@given(st.lists(st.sampled_from(NAMES), max_size=9))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_both_ways_agree_on_every_path(root: int, names: list[str]) -> None:
    path = "/".join(names) or "."
    found = content(walk_in_root, root, path)
    assert found == content(open_in_root, root, path)
    assert found != "outside"


def test_no_descriptor_is_left_behind(root: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for path in ("etc/up", "etc/loop", "etc/dangling", "etc/file/x"):
        content(walk_in_root, root, path)
    assert len(os.listdir("/proc/self/fd")) == before
