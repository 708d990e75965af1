# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""resolv.conf, hosts and hostname as the C library reads them, whatever else is in them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Problems
from ansible_collections.nsfleet.linux.plugins.module_utils._network.dns import (
    Believed,
    parse_hostname,
    parse_hosts,
    parse_resolv_conf,
)

WHERE = "net:[1]"


@pytest.fixture
def believed() -> Iterator[Believed]:
    found = Believed(time.monotonic() + 20, 50)
    yield found
    found.close()


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "etc"
    folder.mkdir(parents=True)
    return folder


def test_resolv_conf_of_a_container() -> None:
    text = (
        "# made by Docker\nsearch a.example b.example\nnameserver 127.0.0.11\nnameserver fe80::1%eth0\n"
        "options ndots:0 edns0\n"
    )
    found = parse_resolv_conf(text, 50)
    assert found["nameservers"] == ["127.0.0.11", "fe80::1%eth0"]
    assert found["search"] == ["a.example", "b.example"]
    assert found["options"] == ["ndots:0", "edns0"]


def test_the_last_search_or_domain_counts() -> None:
    assert parse_resolv_conf("search a b\ndomain c d\n", 50)["search"] == ["c"]
    assert parse_resolv_conf("domain c\nsearch a b\n", 50)["search"] == ["a", "b"]


@pytest.mark.parametrize(
    "line", [" nameserver 1.1.1.1", ";nameserver 1.1.1.1", "#nameserver 1.1.1.1", "nameserver", "Nameserver 1.1.1.1"]
)
def test_lines_that_the_c_library_does_not_take(line: str) -> None:
    assert parse_resolv_conf(line + "\n", 50)["nameservers"] == []


def test_hosts() -> None:
    text = "127.0.0.1\tlocalhost\n\n172.17.0.2 web web.example # it\n# 1.1.1.1 no\n::1\n"
    assert parse_hosts(text) == [
        {"address": "127.0.0.1", "names": ["localhost"]}, {"address": "172.17.0.2", "names": ["web", "web.example"]},
    ]


def test_hostname() -> None:
    assert parse_hostname("# a comment\n\n web-1 \nother\n") == "web-1"
    assert parse_hostname("\n") is None


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    assert len(parse_resolv_conf(text, 3)["nameservers"]) <= 3
    assert all(len(name) <= 255 for entry in parse_hosts(text) for name in entry["names"])
    parse_hostname(text)


def test_the_files_of_a_root(believed: Believed, etc: Path) -> None:
    (etc / "resolv.conf").write_text("nameserver 9.9.9.9\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    (etc / "hostname").write_text("box\n")
    problems = Problems()
    found = believed.read(str(etc.parent), problems, WHERE)
    assert found is not None
    assert (found["nameservers"], found["hostname"], problems.complete) == (["9.9.9.9"], "box", True)


def test_no_files_are_no_problem(believed: Believed, etc: Path) -> None:
    problems = Problems()
    found = believed.read(str(etc.parent), problems, WHERE)
    assert found == {"nameservers": [], "search": [], "options": [], "hosts": [], "hostname": None}
    assert problems.complete


@pytest.mark.parametrize("target", ["/outside", "../../outside", "/../../outside", "../../../../../../../outside"])
def test_a_link_leads_nowhere_outside_of_the_root(believed: Believed, etc: Path, target: str) -> None:
    (etc.parent.parent / "outside").write_text("nameserver 6.6.6.6\n")
    (etc / "resolv.conf").symlink_to(target)
    found = believed.read(str(etc.parent), Problems(), WHERE)
    assert found is not None and found["nameservers"] == []


def test_a_link_inside_of_the_root_is_followed_as_from_inside(believed: Believed, etc: Path) -> None:
    (etc.parent / "run").mkdir()
    (etc.parent / "run" / "stub").write_text("nameserver 127.0.0.53\n")
    (etc / "resolv.conf").symlink_to("/run/stub")
    found = believed.read(str(etc.parent), Problems(), WHERE)
    assert found is not None and found["nameservers"] == ["127.0.0.53"]


def test_a_magic_link_is_not_followed(believed: Believed, etc: Path) -> None:
    # Of a /proc that the container mounted: /proc/self is us.
    (etc.parent / "secret").write_text("nameserver 6.6.6.6\n")
    descriptor = os.open(etc.parent / "secret", os.O_RDONLY)
    try:
        (etc / "resolv.conf").symlink_to("/proc/%d/fd/%d" % (os.getpid(), descriptor))
        problems = Problems()
        found = believed.read(str(etc.parent), problems, WHERE)
    finally:
        os.close(descriptor)
    assert found is not None and found["nameservers"] == []


def test_what_is_no_file_is_said_and_not_waited_for(believed: Believed, etc: Path) -> None:
    os.mkfifo(etc / "resolv.conf")
    (etc / "hosts").mkdir()
    (etc / "hostname").symlink_to("hostname")
    problems = Problems()
    started = time.monotonic()
    believed.read(str(etc.parent), problems, WHERE)
    assert time.monotonic() - started < 1.5
    assert {(entry["what"], entry["reason"]) for entry in problems.as_list()} == {
        ("resolv.conf of net:[1]", "EINVAL"), ("hosts of net:[1]", "EINVAL"),
    }


def test_a_file_without_end_is_cut_and_said(believed: Believed, etc: Path) -> None:
    (etc / "hosts").write_text("10.0.0.1 name\n" * 100_000)
    problems = Problems()
    found = believed.read(str(etc.parent), problems, WHERE)
    assert found is not None and len(found["hosts"]) == 50
    assert {entry["reason"] for entry in problems.as_list()} == {"truncated"}


def test_bytes_that_are_no_text_are_replaced(believed: Believed, etc: Path) -> None:
    (etc / "resolv.conf").write_bytes(b"nameserver \xff\xfe\n")
    found = believed.read(str(etc.parent), Problems(), WHERE)
    assert found is not None and found["nameservers"] == ["\ufffd\ufffd"]


def test_a_root_that_is_gone_says_so(believed: Believed, tmp_path: Path) -> None:
    problems = Problems()
    assert believed.read(str(tmp_path / "gone"), problems, WHERE) is None
    assert {entry["reason"] for entry in problems.as_list()} == {"vanished"}
