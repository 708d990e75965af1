# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets from messages and files that were made up: whole, cut off, hostile, too many."""

from __future__ import annotations

import errno
import math
import os
import socket
import struct
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from recorded.modules import Loaded, Unloaded

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import proc_net, sock_diag
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink import attribute
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink_dump import NLMSG_DONE, Message
from ansible_collections.nsfleet.linux.plugins.module_utils._network import sockets
from ansible_collections.nsfleet.linux.plugins.module_utils._network.look import Look

HEAD_UNIX = b"Num       RefCount Protocol Flags    Type St Inode Path\n"
HEAD_INET = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
HEAD_PACKET = b"sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"


def inet(state: int, address: str = "127.0.0.1", port: int = 80, queues: tuple[int, int] = (0, 0), inode: int = 1,
         more: bytes = b"") -> bytes:
    """An inet_diag_msg, field by field as linux/inet_diag.h has it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    source = socket.inet_pton(family, address).ljust(16, b"\0")
    body = bytes([family, state, 0, 0]) + struct.pack(">HH", port, 0) + source + bytes(16) + struct.pack("=III", 0, 0, 0)
    return body + struct.pack("=IIIII", 0, queues[0], queues[1], 0, inode) + more


def unix(kind: int, state: int, name: bytes | None, inode: int = 1) -> bytes:
    """A unix_diag_msg with its name and queue."""
    body = struct.pack("=BBBBIII", socket.AF_UNIX, kind, state, 0, inode, 0, 0)
    return body + (b"" if name is None else attribute(0, name)) + attribute(4, struct.pack("=II", 1, 5))


class Kernel:
    """Answers as a NETLINK_SOCK_DIAG socket: by family and protocol of the request, (0, 6) for TCPDIAG_GETSOCK."""

    def __init__(self, answers: dict[tuple[int, int], Any]) -> None:
        self._answers = answers
        self.asked: list[tuple[int, int]] = []

    def __call__(self, protocol: int, until: float) -> Kernel:
        """As the class is called."""
        return self

    def close(self) -> None:
        """Nothing is open."""

    def stream(self, kind: int, payload: bytes) -> Iterator[Message]:
        """The messages made up for the request."""
        key = (0, 6) if kind == sock_diag.TCPDIAG_GETSOCK else (payload[0], payload[1])
        self.asked.append(key)
        bodies = self._answers.get(key, ())
        if payload[0] == socket.AF_UNIX:
            # The states asked for, as the kernel filters them.
            states = struct.unpack_from("=I", payload, 4)[0]
            bodies = [body for body in bodies if isinstance(body, OSError) or 1 << body[2] & states]
        for body in bodies:
            if isinstance(body, OSError):
                raise body
            yield Message(kind, 2, body)
        yield Message(NLMSG_DONE, 2, bytes(80))


@pytest.fixture
def take(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Take what a made up kernel has, in an empty /proc: rows, counts, problems."""

    def run(answers: dict[tuple[int, int], Any], most: int = 500, modules: Any = None) -> Any:
        monkeypatch.setattr(sockets, "Netlink", Kernel(answers))
        look = Look(most, time.monotonic() + 10, str(tmp_path))
        rows, counts = sockets.take(look, modules or Loaded())
        return rows, counts, look.problems.as_list()

    return run


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Take what files in /proc/net say: rows, counts, problems."""

    def run(most: int = 500, **files: bytes) -> Any:
        folder = tmp_path / "thread-self" / "net"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        look = Look(most, time.monotonic() + 10, str(tmp_path))
        rows, counts = sockets.take(look, Unloaded())
        return rows, counts, look.problems.as_list()

    return run


def test_no_socket_at_all_is_an_empty_answer_for_each_protocol(take: Any) -> None:
    assert take({}) == ([], {"tcp": {}, "udp": {}, "raw": {}, "packet": {}, "unix": {}}, [])


def test_a_listener_has_its_queue_and_limit(take: Any) -> None:
    rows, counts, problems = take({(0, 6): [inet(10, "0.0.0.0", 80, (3, 2), 77)]})
    assert rows == [{
        "protocol": "tcp", "address": "0.0.0.0", "port": 80, "path": None, "link": None, "queue": 3, "limit": 2,
        "details": {}, "inode": 77, "processes": [],
    }]
    assert (counts["tcp"], problems) == ({"listening": 1}, [])


@pytest.mark.parametrize("flag", [0, 1])
def test_ipv6_says_whether_it_is_alone(take: Any, flag: int) -> None:
    rows = take({(0, 6): [inet(10, "::", more=attribute(11, bytes([flag])))]})[0]
    assert rows[0]["details"] == {"v6only": bool(flag)}


@pytest.mark.parametrize("number, word", [
    (1, "established"), (2, "syn-sent"), (3, "syn-recv"), (4, "fin-wait-1"), (5, "fin-wait-2"), (6, "time-wait"),
    (7, "closed"), (8, "close-wait"), (9, "last-ack"), (10, "listening"), (11, "closing"), (12, "syn-recv"), (99, "99"),
])
def test_states_have_the_words_of_ss(take: Any, number: int, word: str) -> None:
    assert take({(0, 6): [inet(number), inet(number)]})[1]["tcp"] == {word: 2}


def test_both_states_of_an_unfinished_connection_are_one(take: Any) -> None:
    assert take({(0, 6): [inet(3), inet(12)]})[1]["tcp"] == {"syn-recv": 2}


def test_udp_and_raw_sockets_wait_while_they_are_not_connected(take: Any) -> None:
    rows, counts, dummy = take({
        (2, 17): [inet(7, port=53, queues=(768, 0)), inet(1)], (10, 17): [inet(7, "::", 53)], (2, 255): [inet(7, port=1)],
    })
    assert [(row["protocol"], row["address"], row["port"], row["queue"], row["limit"]) for row in rows] == [
        ("udp", "127.0.0.1", 53, 768, None), ("udp", "::", 53, 0, None), ("raw", "127.0.0.1", 1, 0, None),
    ]
    assert (counts["udp"], counts["raw"]) == ({"established": 1, "unconnected": 2}, {"unconnected": 1})


@pytest.mark.parametrize("name, path", [
    (b"/run/a\0", "/run/a"), (b"\0abstract", "@abstract"), (b"\0a\0b\0", "@a@b@"), (None, None), (b"a\nb\0", "a\nb"),
    (b"\0\xff\n", "@\ufffd\n"), (b"", None),
])
def test_names_of_unix_sockets(take: Any, name: bytes | None, path: str | None) -> None:
    rows = take({(1, 0): [unix(1, 10, name)]})[0]
    assert [row["path"] for row in rows] == [path]


def test_of_unix_sockets_only_listeners_are_rows_and_all_are_counted(take: Any) -> None:
    rows, counts, dummy = take({(1, 0): [unix(5, 10, b"\0s"), unix(1, 1, b"/c\0"), unix(2, 7, b"/d\0")]})
    assert [(row["path"], row["queue"], row["limit"], row["details"]) for row in rows] == [
        ("@s", 1, 5, {"type": "seqpacket"}),
    ]
    assert counts["unix"] == {"established": 1, "listening": 1, "unconnected": 1}


def test_a_packet_socket_has_its_type_and_queue(take: Any) -> None:
    body = struct.pack("=BBHIII", socket.AF_PACKET, 2, 0x0800, 5, 0, 0)
    body += attribute(0, struct.pack("=6I", 9, 0, 0, 0, 0, 0)) + attribute(6, struct.pack("=3I", 4096, 0, 0))
    rows, counts, dummy = take({(17, 0): [body]})
    assert [(row["link"], row["queue"], row["details"]) for row in rows] == [
        ("if9", 4096, {"ethertype": "0x0800", "type": "dgram"}),
    ]
    assert counts["packet"] == {"unconnected": 1}


def test_as_many_are_kept_as_may_be_and_the_rest_is_counted(take: Any) -> None:
    rows, counts, problems = take({(0, 6): [inet(10, "0.0.0.0", port) for port in range(1, 11)]}, most=4)
    assert len(rows) == 4
    assert counts["tcp"] == {"listening": 10}
    assert problems == [{"what": "sockets", "reason": "truncated", "count": 6}]


def test_local_listeners_do_not_crowd_out_those_that_others_reach(take: Any) -> None:
    local = [inet(10, address, 1) for address in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1")] * 3
    rows, dummy, problems = take({
        (0, 6): [*local, inet(10, "10.0.0.1", 80)], (10, 17): [inet(7, "::", 53)],
        (1, 0): [unix(1, 10, b"/a\0")] * 9,
    }, most=3)
    assert {("tcp", "10.0.0.1"), ("udp", "::")} < {(row["protocol"], row["address"]) for row in rows}
    assert (len(rows), problems[0]["count"]) == (3, 12 + 1 + 1 + 9 - 3)


def test_of_local_ones_those_of_the_internet_come_first(take: Any) -> None:
    rows = take({(0, 6): [inet(10)], (1, 0): [unix(1, 10, b"/a\0")]}, most=1)[0]
    assert [row["protocol"] for row in rows] == ["tcp"]


@pytest.fixture
def peak() -> Iterator[Any]:
    """The most memory that was in use."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize("state, address", [(1, "10.0.0.1"), (10, "10.0.0.1"), (10, "127.0.0.1")])
def test_memory_does_not_grow_with_sockets(take: Any, peak: Any, state: int, address: str) -> None:
    message = inet(state, address)
    counts = take({(0, 6): (message for dummy in range(20_000))}, most=100)[1]
    assert sum(counts["tcp"].values()) == 20_000
    assert peak() < 400_000


@pytest.mark.parametrize("mask", [
    sock_diag.inet_request(socket.AF_INET, 17)[4:8], sock_diag.tcp_request()[52:56],
    sock_diag.unix_request(sock_diag.ALL_STATES, False)[4:8],
])
def test_every_state_of_tcp_states_h_is_asked_for(mask: bytes) -> None:
    asked = struct.unpack("=I", mask)[0]
    assert [state for state in range(32) if asked >> state & 1] == list(range(1, 13))


@pytest.mark.parametrize("size", [3, 15])
def test_what_is_cut_off_is_not_counted(take: Any, size: int) -> None:
    answers = {(0, 6): [inet(1)[:size]], (1, 0): [unix(1, 1, None)[:size]], (17, 0): [bytes(size)]}
    assert take(answers)[:2] == ([], {"tcp": {}, "udp": {}, "raw": {}, "packet": {}, "unix": {}})


def test_a_dump_that_breaks_off_is_not_told_twice(take: Any, tmp_path: Path) -> None:
    folder = tmp_path / "thread-self" / "net"
    folder.mkdir(parents=True)
    (folder / "udp").write_bytes(HEAD_INET + listener(53, 7))
    rows, counts, problems = take({(2, 17): [inet(7)], (10, 17): [OSError(errno.ENOENT, "")]})
    assert (len(rows), counts["udp"]) == (1, {"unconnected": 1})
    assert problems == [{"what": "sockets", "reason": "vanished", "count": 1}]


def test_a_dump_without_end_is_given_up_and_what_came_is_counted(take: Any) -> None:
    rows, counts, problems = take({(0, 6): [inet(10), inet(1), OSError(errno.EOVERFLOW, "")], (2, 17): [inet(7)]})
    assert counts["tcp"] == {"established": 1, "listening": 1}
    assert len(rows) == 2
    assert problems == [{"what": "sockets", "reason": "truncated", "count": 1}]


def test_one_refused_protocol_does_not_hide_the_others(take: Any) -> None:
    rows, counts, problems = take({(0, 6): [OSError(errno.EPERM, "")], (2, 17): [inet(7)]})
    assert [row["protocol"] for row in rows] == ["udp"]
    assert problems == [{"what": "sockets", "reason": "refused: EPERM", "count": 1}]


def test_a_protocol_that_hangs_is_said_and_the_others_are_asked(take: Any) -> None:
    rows, dummy, problems = take({(0, 6): [inet(10), TimeoutError(errno.ETIMEDOUT, "")], (1, 0): [unix(1, 10, None)]})
    assert [row["protocol"] for row in rows] == ["tcp", "unix"]
    assert problems == [{"what": "sockets", "reason": "timed out", "count": 1}]


@pytest.mark.parametrize("module, lost", [
    ("inet_diag", {(0, 6), (2, 17), (10, 17), (2, 255), (10, 255)}), ("tcp_diag", {(0, 6)}),
    ("udp_diag", {(2, 17), (10, 17)}), ("raw_diag", {(2, 255), (10, 255)}), ("af_packet_diag", {(17, 0)}),
    ("unix_diag", {(1, 0)}),
])
def test_what_is_not_loaded_is_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str, lost: set[tuple[int, int]]
) -> None:
    kernel = Kernel({})
    monkeypatch.setattr(sockets, "Netlink", kernel)
    names = {"inet_diag", "tcp_diag", "udp_diag", "raw_diag", "af_packet_diag", "unix_diag"} - {module}
    sockets.take(Look(500, time.monotonic() + 10, str(tmp_path)), Loaded(*names))
    every = {(0, 6), (2, 17), (10, 17), (2, 255), (10, 255), (17, 0), (1, 0)}
    assert set(kernel.asked) == every - lost


def test_a_kernel_without_sock_diag_is_read_from_proc(
    monkeypatch: pytest.MonkeyPatch, read: Any, tmp_path: Path
) -> None:
    def refuse(protocol: int, until: float) -> None:
        raise OSError(errno.EPROTONOSUPPORT, "")

    monkeypatch.setattr(sockets, "Netlink", refuse)
    assert read(tcp=HEAD_INET + listener(80))[1]["tcp"] == {"listening": 1}


def listener(port: int, state: int = 10, address: str = "0100007F", waiting: int = 0) -> bytes:
    """A line of /proc/net/tcp or the like."""
    line = "   0: %s:%04X 00000000:0000 %02X 00000000:%08X 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n"
    return (line % (address, port, state, waiting)).encode()


@pytest.mark.skipif(sys.byteorder != "little", reason="the lines below are of a little-endian machine")
def test_the_lines_of_proc_net_tcp(read: Any) -> None:
    rows, counts, problems = read(
        tcp=HEAD_INET + listener(8080, waiting=3) + listener(81, 1),
        tcp6=HEAD_INET + listener(443, address="B80D0120000000000000000001000000"),
    )
    assert [(row["address"], row["port"], row["queue"], row["limit"], row["details"], row["inode"]) for row in rows] == [
        ("2001:db8::1", 443, 0, None, {}, 4711), ("127.0.0.1", 8080, 3, None, {}, 4711),
    ]
    assert counts["tcp"] == {"established": 1, "listening": 2}
    assert problems == [{"what": "sockets", "reason": "unsupported: tcp_diag is not loaded", "count": 1}]


def test_what_is_not_there_is_not_missed(read: Any) -> None:
    rows, counts, problems = read(tcp=HEAD_INET, udp=HEAD_INET + listener(53, 1), unix=HEAD_UNIX)
    assert (rows, counts["udp"], problems) == ([], {"established": 1}, [])


def test_the_lines_of_proc_net_packet_miss_nothing(read: Any) -> None:
    rows, counts, problems = read(packet=HEAD_PACKET + b"00000000a1b2c3d4 3      3    0003   7     1 512    0      99\n")
    assert [(row["link"], row["queue"], row["details"], row["inode"]) for row in rows] == [
        ("if7", 512, {"ethertype": "0x0003", "type": "raw"}, 99),
    ]
    assert (counts["packet"], problems) == ({"unconnected": 1}, [])


def unix_line(name: bytes, flags: int = 0x10000, state: int = 1, inode: int = 5) -> bytes:
    """A line of /proc/net/unix as the kernel prints it (net/unix/af_unix.c, unix_seq_show)."""
    head = b"00000000dc5b6a7a: 00000002 00000000 %08X %04X %02X %5d" % (flags, 1, state, inode)
    return head + (b" " + name if name else b"") + b"\n"


@pytest.mark.parametrize("name", [
    b"/run/a", b"@abstract", b" leading", b"trailing ", b"two  blanks", b"\xff", b"a\tb", b"@a\nb", b"\n", b"a\n\nb\n",
    b"x\n00000000dc5b6a7a: 00000002 00000000 00010000 0001", b"x\n1: 2 3 4 5 6 7 8",
    b"x\n00000000dc5b6a7a 00000002 00000000 00010000 0001 01 12 /y",
    b"x\n00000000dc5b6a7a: 00000002 00000000 -0010000 0001 01 12 /y",
    b"x\n00000000dc5b6a7a: 00000002 00000000 0x010000 0001 01 12 /y",
    b"x\n00000000dc5b6a7a: 00000002 00000000 00_10000 0001 01 12 /y",
    b"x\n00000000dc5b6a7a: 00000002 00000000 00010000 0001 01 -2 /y",
])
def test_names_in_proc_net_unix_are_whole(read: Any, name: bytes) -> None:
    rows, counts, dummy = read(unix=HEAD_UNIX + unix_line(name) + unix_line(b"/next"))
    assert {row["path"] for row in rows} == {name.decode("utf-8", "replace"), "/next"}
    assert counts["unix"] == {"listening": 2}


@pytest.mark.parametrize("name", [b"a" * 1000, b"a\n" * 1000, b"a" * 107 + b"\nb"])
def test_a_name_without_end_is_cut(read: Any, name: bytes) -> None:
    rows = read(unix=HEAD_UNIX + unix_line(name))[0]
    assert [len(row["path"]) for row in rows] == [108]


def test_a_file_that_is_one_endless_line_is_given_up(read: Any, tmp_path: Path, peak: Any) -> None:
    read(unix=HEAD_UNIX + unix_line(b"/a"))
    os.truncate(tmp_path / "thread-self" / "net" / "unix", 5_000_000)
    assert read()[1]["unix"] == {"listening": 1}
    assert peak() < 1_000_000


def test_states_in_proc_net_unix(read: Any) -> None:
    lines = [unix_line(b"", 0, 3), unix_line(b"", 0, 1), unix_line(b"/l"), unix_line(b"/l", 0, 3, inode=0)]
    counts = read(unix=HEAD_UNIX + b"".join(lines))[1]
    assert counts["unix"] == {"established": 1, "unconnected": 1, "listening": 1}


def test_too_many_lines_are_said(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc_net, "_MOST_LINES", 100)
    rows, counts, problems = read(tcp=HEAD_INET + listener(80) * 500, udp=HEAD_INET + listener(53, 7))
    assert {"what": "sockets", "reason": "truncated", "count": 1} in problems
    assert (counts["tcp"]["listening"], counts["udp"]) == (99, {"unconnected": 1})


def test_time_is_up_while_reading(read: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "thread-self" / "net"
    folder.mkdir(parents=True)
    (folder / "tcp").write_bytes(HEAD_INET + listener(80))
    look = Look(500, -math.inf, str(tmp_path))
    sockets.take(look, Unloaded())
    assert look.problems.as_list() == [{"what": "sockets", "reason": "timed out", "count": 1}]


def test_a_file_is_not_waited_for(read: Any, tmp_path: Path) -> None:
    folder = tmp_path / "thread-self" / "net"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "tcp")
    assert read()[1]["tcp"] == {}


PIECES = st.sampled_from([b"00000000dc5b6a7a: ", b"00010000 ", b"0001 ", b"01 ", b"\n", b" ", b"@", b"\xff", b"99999999 ",
                          b"0100007F:0050 ", b"0A ", b"00000000:00000000 ", b"-1 ", b"0x1 ", b"1_0 ", b"G", b":"])


@given(st.lists(PIECES, max_size=60).map(b"".join) | st.binary(max_size=300))
@example(b"0: 0100007F:0050 0:0 1F4 0:0 0 0 0 0 1\n")
@example(b"0: 0100007FFF:0050 0:0 0A 0:0 0 0 0 0 1\n")
@example(b"0: 0100007F:0050 0:0 -1 0:0 0 0 0 0 1\n")
@example(b"0: -100007F:0050 0:0 0A 0:0 0 0 0 0 1\n")
def test_any_lines_are_read_to_the_end(data: bytes) -> None:
    rows = [
        *proc_net.inet_rows(iter(data.split(b"\n")), [0] * 256, 10), *proc_net.unix_rows(iter(data.split(b"\n"))),
        *proc_net.packet_rows(iter(data.split(b"\n"))),
    ]
    for row in rows:
        assert row.inode >= -1
        if isinstance(row, sock_diag.Inet):
            assert 0 <= row.port <= 0xFFFF and row.rqueue >= 0
        if isinstance(row, sock_diag.Unix):
            assert row.name is None or len(row.name) <= 108


WHOLE = [inet(10, "::", more=attribute(11, b"\1")), unix(1, 10, b"/run/a\0"), struct.pack("=BBHIII", 17, 3, 3, 1, 0, 0)]


@given(st.sampled_from(WHOLE), st.integers(0, 100), st.binary(max_size=40))
def test_any_message_is_parsed_or_passed_over(whole: bytes, cut: int, more: bytes) -> None:
    for body in (whole[:cut], whole[:cut] + more, more + whole):
        for parse in (sock_diag.parse_inet, sock_diag.parse_unix, sock_diag.parse_packet):
            parse(body)


@given(st.binary(max_size=200))
def test_any_answer_leaves_rows_of_the_right_form(body: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        kernel = Kernel({key: [body] for key in ((0, 6), (2, 17), (10, 17), (2, 255), (17, 0))})
        patch.setattr(sockets, "Netlink", kernel)
        rows, counts = sockets.take(Look(10, time.monotonic() + 10, "/nowhere"), Loaded())
    for row in rows:
        assert isinstance(row["queue"] or 0, int) and isinstance(row["inode"], int)
    assert all(count > 0 for states in counts.values() for count in states.values())
