# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups of foreign files."""

from __future__ import annotations

import grp
import os
import pwd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._enter.accounts import (
    Account,
    groups,
    in_files,
    number,
    on_host,
    users,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused

PASSWD = (
    b"root:x:0:0:root:/root:/bin/ash\n"
    b"app:x:1000:100:the app,,,:/srv/app:/bin/sh\n"
    b"2000:x:0:0:a trap:/trap:/bin/sh\n"
    b"homeless:x:1001:100:::\n"
)
GROUP = b"root:x:0:root,app\nusers:x:100:\nwheel:x:10:app,root\nadm:x:4:root\n"


@pytest.mark.parametrize("user, group, account", [
    (None, None, Account(0, 0, [0, 10, 4], "/root", "root", "/bin/ash")),
    ("app", None, Account(1000, 100, [100, 0, 10], "/srv/app", "app", "/bin/sh")),
    ("1000", None, Account(1000, 100, [100, 0, 10], "/srv/app", "app", "/bin/sh")),
    ("app:wheel", None, Account(1000, 10, [10], "/srv/app", "app", "/bin/sh")),
    ("app", "wheel", Account(1000, 10, [10], "/srv/app", "app", "/bin/sh")),
    ("1000:4711", None, Account(1000, 4711, [4711], "/srv/app", "app", "/bin/sh")),
    ("4711", None, Account(4711, 0, [0])),
    ("4711:4712", None, Account(4711, 4712, [4712])),
    ("homeless", None, Account(1001, 100, [100], "/", "homeless", "")),
])
def test_who_is_meant(user: str | None, group: str | None, account: Account) -> None:
    assert in_files(PASSWD, GROUP, user, group, "web") == account


def test_a_number_is_never_a_name() -> None:
    """Else the container's root decided who 2000 is."""
    assert in_files(PASSWD, GROUP, "2000", None, "web").uid == 2000
    assert in_files(PASSWD, b"4711:x:0:\n", "app", "4711", "web").gid == 4711


@pytest.mark.parametrize("user, group, words", [
    ("nobody", None, "user nobody .*/etc/passwd of web"), ("app:none", None, "group none .*/etc/group of web"),
    ("app", "none", "group none"), ("-1", None, "no id"), ("4294967295", None, "no id"), ("99999999999", None, "no id"),
    ("+5", None, "no id"), (":app", None, "none"), ("app:", None, "none"), ("app:a", "b", "once"),
    ("\u0661", None, "no id|not known"),
])
def test_who_is_nobody(user: str, group: str | None, words: str) -> None:
    with pytest.raises(Refused, match=words):
        in_files(PASSWD, GROUP, user, group, "web")


def test_without_files_numbers_will_do() -> None:
    assert in_files(b"", b"", "1000:1000", None, "web") == Account(1000, 1000, [1000])
    assert in_files(b"", b"", None, None, "web") == Account(0, 0, [0])


@pytest.mark.parametrize("line", [
    b"+", b"+:x:0:0:::", b"-app:x:0:0:::", b"#app:x:0:0:::", b"app:x:0", b"app:x:-1:0:::", b"app:x:0x1:0:::", b":x:0:0:::",
    b"app:x:4294967295:0:::", b"app:x: 1:0:::", b"ap\0p:x:0:0:::", b"app:x:0:0::::more", b"app:x:1_0:0:::",
])
def test_lines_that_are_none(line: bytes) -> None:
    assert not list(users(line + b"\n"))


def test_the_first_of_two_entries_counts() -> None:
    assert in_files(b"a:x:1:1::/1:\na:x:2:2::/2:\n", b"", "a", None, "web").uid == 1


def test_this_machines_files_say_what_its_library_says() -> None:
    with open("/etc/passwd", "rb") as passwd, open("/etc/group", "rb") as group:
        files = passwd.read(), group.read()
    for entry in pwd.getpwall():
        if entry.pw_name not in [user.name for user in users(files[0])]:
            continue  # from elsewhere than the file
        found = in_files(*files, entry.pw_name, None, "here")
        assert (found.uid, found.gid, found.home, found.shell) == (
            entry.pw_uid, entry.pw_gid, entry.pw_dir or "/", entry.pw_shell)
        assert sorted(found.groups) == sorted(set(os.getgrouplist(entry.pw_name, entry.pw_gid)))
        assert on_host(entry.pw_name, None)._replace(groups=sorted(found.groups)) == found._replace(
            groups=sorted(found.groups))
        assert sorted(on_host(entry.pw_name, None).groups) == sorted(found.groups)
    assert {one.name: one.gid for one in groups(files[1])}.items() <= {
        one.gr_name: one.gr_gid for one in grp.getgrall()}.items()


def test_the_host_knows_numbers_and_refuses_strangers() -> None:
    assert on_host("4711:4712", None) == Account(4711, 4712, [4712])
    assert on_host("root", "root")[:3] == (0, 0, [0])
    with pytest.raises(Refused, match="not among the users of the host. Give one that is, or a number"):
        on_host("no-such-user", None)
    with pytest.raises(Refused, match="groups of the host"):
        on_host("root", "no-such-group")


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_content_breaks_the_parsers(passwd: bytes, group: bytes) -> None:
    for user in users(passwd):
        assert 0 <= user.uid < 1 << 32 and user.name
    list(groups(group))
    in_files(passwd, group, "4711", None, "web")


@given(st.lists(st.lists(st.text(alphabet="a0:,\n\udcff", max_size=4), min_size=7, max_size=7)))
def test_what_looks_like_lines_is_read_as_the_fields_it_has(lines: list[list[str]]) -> None:
    content = "\n".join(":".join(fields) for fields in lines).encode("utf-8", "surrogateescape")
    for user in users(content):
        assert number(str(user.uid)) == user.uid
        assert ":" not in user.name + user.home + user.shell
