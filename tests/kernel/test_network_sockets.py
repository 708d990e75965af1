# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets of real network namespaces, beside ss(8), and the same told by /proc/net."""

from __future__ import annotations

import os
import re
import resource
import socket
import struct
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import namespaces, nsfs
from ansible_collections.nsfleet.linux.plugins.module_utils._network import sockets
from ansible_collections.nsfleet.linux.plugins.module_utils._network.look import Look
from ansible_collections.nsfleet.linux.tests.kernel.holders import in_thread, new_namespace, passing
from ansible_collections.nsfleet.linux.tests.unit.recorded.modules import Loaded, Unloaded

NET = namespaces.CLONE_NEWNET
NOBODY = 65534
SO_BINDTODEVICE, IPV6_V6ONLY = 25, 26
SS_WORDS = {
    "ESTAB": "established", "SYN-SENT": "syn-sent", "SYN-RECV": "syn-recv", "FIN-WAIT-1": "fin-wait-1",
    "FIN-WAIT-2": "fin-wait-2", "TIME-WAIT": "time-wait", "UNCONN": "unconnected", "CLOSE-WAIT": "close-wait",
    "LAST-ACK": "last-ack", "LISTEN": "listening", "CLOSING": "closing",
}


def take(answer: bool = True, most: int = 500) -> Any:
    """Rows, counts and problems where we are."""
    look = Look(most, time.monotonic() + 20)
    look.names = dict(socket.if_nameindex())
    rows, counts = sockets.take(look, Loaded() if answer else Unloaded())
    return rows, counts, look.problems.as_list()


def run(*argv: str, **more: Any) -> str:
    """The output of a program that succeeds."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, timeout=30, check=True, **more)
    return done.stdout.decode("utf-8", "replace")


def loopback() -> None:
    """Begin with a loopback that is up."""
    run("ip", "link", "set", "lo", "up")


def listen(address: str, port: int = 0, backlog: int = 5, *options: tuple[int, int, Any]) -> socket.socket:
    """A listening TCP socket."""
    found = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    for option in options:
        found.setsockopt(*option)
    found.bind((address, port))
    found.listen(backlog)
    return found


def told_by_ss(*options: str) -> list[dict[str, Any]]:
    """Lines of ss -e: state, queues, address, port, link and inode."""
    found = []
    for line in run("ss", "-Hne", *options).splitlines():
        fields = line.split()
        if len(fields) < 5 or not fields[1].isdigit():
            continue
        address, dummy, port = fields[3].rpartition(":")
        address, dummy, link = address.partition("%")
        inode, v6only = re.search(r"\bino:(\d+)", line), re.search(r"\bv6only:(\d)", line)
        found.append({
            "state": SS_WORDS[fields[0]], "queues": (int(fields[1]), int(fields[2])), "address": address.strip("[]"),
            "port": int(port), "link": link or None, "inode": int(inode[1]) if inode else 0,
            "v6only": None if v6only is None else v6only[1] == "1",
        })
    return found


def states_of_ss(*options: str) -> dict[str, int]:
    """How many sockets are in which state."""
    return dict(Counter(SS_WORDS[line.split()[0]] for line in run("ss", "-Hna", *options).splitlines() if line.strip()))


def test_tcp_listeners_are_those_of_ss(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        loopback()
        kept = [
            listen("0.0.0.0", 80, 128), listen("127.0.0.1", 81), listen("::1", 82), listen("::", 83, 7),
            listen("::", 80, 9, (socket.IPPROTO_IPV6, IPV6_V6ONLY, 1)),
            listen("0.0.0.0", 85, 5, (socket.SOL_SOCKET, SO_BINDTODEVICE, b"lo\0")),
        ]
        return take(), told_by_ss("-tl"), [os.fstat(one.fileno()).st_ino for one in kept]

    (rows, counts, problems), told, inodes = in_child(inside, NET)
    assert {(row["inode"], row["port"], row["queue"], row["limit"], row["link"]) for row in rows} == {
        (line["inode"], line["port"], *line["queues"], line["link"]) for line in told
    }
    # ss shows "*" for an address of all families, which :: is only unless v6only.
    assert {(row["port"], row["address"], row["details"].get("v6only")) for row in rows} == {
        (line["port"], line["address"].replace("*", "::"), line["v6only"]) for line in told
    }
    # An address of IPv6 is for IPv6 only, whatever was asked for (inet6_bind).
    seen = {row["inode"]: (row["address"], row["port"], row["limit"], row["link"], row["details"]) for row in rows}
    assert seen == dict(
        zip(inodes, [
            ("0.0.0.0", 80, 128, None, {}), ("127.0.0.1", 81, 5, None, {}), ("::1", 82, 5, None, {"v6only": True}),
            ("::", 83, 7, None, {"v6only": False}), ("::", 80, 9, None, {"v6only": True}),
            ("0.0.0.0", 85, 5, "lo", {}),
        ])
    )
    assert counts["tcp"] == {"listening": 6}
    assert problems == []


def test_a_full_accept_queue_is_seen(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        loopback()
        server = listen("127.0.0.1", 80, 2)
        clients = [socket.create_connection(server.getsockname(), 5) for dummy in range(3)]
        return take(), told_by_ss("-tl"), len(clients)

    (rows, counts, dummy), told, clients = in_child(inside, NET)
    # The kernel takes one more than was asked for (sk_acceptq_is_full).
    assert [(row["queue"], row["limit"]) for row in rows] == [line["queues"] for line in told] == [(3, 2)]
    assert counts["tcp"] == {"listening": 1, "established": 2 * clients}


def half_open(port: int) -> None:
    """Have a SYN for the port come in through e0, from e1, whose answer gets lost."""

    def checksum(data: bytes) -> int:
        total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
        total = (total >> 16) + (total & 0xFFFF)
        return ~(total + (total >> 16)) & 0xFFFF

    source, target = socket.inet_aton("198.51.100.2"), socket.inet_aton("198.51.100.1")
    syn = struct.pack("!HHIIBBHHH", 4321, port, 1, 0, 5 << 4, 2, 1000, 0, 0)
    syn = syn[:16] + struct.pack("!H", checksum(source + target + struct.pack("!HH", 6, len(syn)) + syn)) + syn[18:]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(syn), 1, 0, 64, 6, 0, source, target)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as receiver, \
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        receiver.bind(("e0", 0))
        sender.bind(("e1", 0))
        sender.send(receiver.getsockname()[4] + b"\2\0\0\0\0\x99" + b"\x08\0" + header + syn)


def pair(server: socket.socket) -> tuple[socket.socket, socket.socket]:
    """A connection: the client's end, the server's."""
    client = socket.create_connection(server.getsockname()[:2], 5)
    return client, server.accept()[0]


def test_connections_are_counted_in_each_state_as_ss_has_them(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        loopback()
        server, other = listen("127.0.0.1", 80), listen("::1", 81)
        established = [pair(server), pair(other)]
        half = pair(server)
        half[0].shutdown(socket.SHUT_WR)             # fin-wait-2 and close-wait
        over = pair(server)
        over[0].close()
        over[1].close()                              # time-wait
        run("ip", "link", "add", "e0", "type", "veth", "peer", "name", "e1")
        for command in ("addr add 198.51.100.1/24 dev e0", "link set e0 up", "link set e1 up",
                        "neigh add 198.51.100.2 lladdr 02:00:00:00:00:99 dev e0"):
            run("ip", *command.split())
        lost = socket.socket()
        lost.setblocking(False)
        assert lost.connect_ex(("198.51.100.2", 80))  # syn-sent: nobody has that MAC
        everywhere = listen("0.0.0.0", 82)
        half_open(82)                                # syn-recv
        ending, last = pair(server), pair(server)
        last[0].shutdown(socket.SHUT_WR)
        time.sleep(0.1)
        run("ip", "link", "set", "lo", "down")
        ending[0].close()                            # fin-wait-1: what it sends gets lost
        last[1].close()                              # last-ack
        kept = (established, half, lost, last, ending, everywhere)
        return take()[1]["tcp"], states_of_ss("-t"), len(kept)

    counts, told, dummy = in_child(inside, NET)
    assert counts == told
    assert counts == {
        "listening": 3, "established": 2 * 2 + 1, "fin-wait-2": 2, "close-wait": 1, "time-wait": 1, "syn-sent": 1,
        "syn-recv": 1, "fin-wait-1": 1, "last-ack": 1,
    }


def test_udp_and_raw_sockets_are_those_of_ss(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        loopback()
        udp = [socket.socket(family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6, socket.AF_INET)]
        udp[0].bind(("0.0.0.0", 53))
        udp[1].bind(("::1", 54))
        udp[2].connect(("127.0.0.1", 53))
        udp[2].send(b"unread")
        raw = [socket.socket(socket.AF_INET, socket.SOCK_RAW, 1), socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)]
        return take(), told_by_ss("-ua"), told_by_ss("-wa"), states_of_ss("-u"), len(raw)

    (rows, counts, problems), told_udp, told_raw, states, dummy = in_child(inside, NET)
    seen = [row for row in rows if row["protocol"] == "udp"]
    assert {(row["inode"], row["address"], row["port"], row["queue"]) for row in seen} == {
        (line["inode"], line["address"], line["port"], line["queues"][0]) for line in told_udp
        if line["state"] == "unconnected"
    }
    assert counts["udp"] == states == {"unconnected": 2, "established": 1}
    assert all(row["queue"] > 0 for row in seen if row["port"] == 53)
    raw = [row for row in rows if row["protocol"] == "raw"]
    assert {(row["address"].replace("::", "*"), row["port"]) for row in raw} == {
        (line["address"], line["port"]) for line in told_raw
    } == {("0.0.0.0", 1), ("*", 58)}
    # CONFIG_INET_RAW_DIAG is often not set; then /proc/net/raw is what there is, for ss too.
    assert problems == []


def test_packet_sockets_are_those_of_ss(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        loopback()
        every = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        ip = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        ip.bind(("lo", 0x0800))
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.sendto(b"x", ("127.0.0.1", 9))
        found, lines = take(), run("ss", "-H0ne")
        return found, lines, [os.fstat(one.fileno()).st_ino for one in (every, ip)]

    (rows, counts, dummy), lines, inodes = in_child(inside, NET)
    packet = {row["inode"]: row for row in rows if row["protocol"] == "packet"}
    assert [packet[inode]["details"] for inode in inodes] == [
        {"ethertype": "0x0003", "type": "raw"}, {"ethertype": "0x0800", "type": "dgram"},
    ]
    assert [packet[inode]["link"] for inode in inodes] == [None, "lo"]
    told = re.findall(r"^p_(raw|dgr)\s+(\d+)\s+\d+\s+\S+:(\S+).*?ino:(\d+)", lines, re.M)
    assert {(row["details"]["type"][:3], row["queue"], row["link"] or "*", inode) for inode, row in packet.items()} == {
        (kind, int(queue), link, int(inode)) for kind, queue, link, inode in told
    }
    assert all(row["queue"] > 0 for row in packet.values())
    assert counts["packet"] == {"unconnected": 2}


def unix_sockets(folder: str) -> list[socket.socket]:
    """Listeners of both types, with odd names, unnamed ones, datagrams, connections, one that waits."""
    def made(kind: int, name: bytes | None, backlog: int | None) -> socket.socket:
        one = socket.socket(socket.AF_UNIX, kind)
        if name is not None:
            one.bind(name)
        if backlog is not None:
            one.listen(backlog)
        return one

    kept = [
        made(socket.SOCK_STREAM, os.fsencode(folder) + b"/s", 3), made(socket.SOCK_SEQPACKET, b"\0seq", 4),
        made(socket.SOCK_STREAM, os.fsencode(folder) + b"/a\nb \xff", 1), made(socket.SOCK_STREAM, b"\0a\0b\n\xfe ", 2),
        made(socket.SOCK_STREAM, b"\0" + b"x" * 107, 1), made(socket.SOCK_DGRAM, b"\0datagrams", None),
        made(socket.SOCK_STREAM, None, None), *socket.socketpair(), *socket.socketpair(type=socket.SOCK_DGRAM),
    ]
    waiting = socket.socket(socket.AF_UNIX)
    waiting.connect(folder + "/s")
    return [*kept, waiting]


def test_unix_listeners_have_the_names_they_were_given(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            kept = unix_sockets(folder)
            return folder, take(), [os.fstat(one.fileno()).st_ino for one in kept]

    folder, (rows, dummy, dummy2), inodes = in_child(inside, NET)
    assert {row["inode"]: (row["path"], row["details"]["type"], row["queue"], row["limit"]) for row in rows} == dict(
        zip(inodes, [
            (folder + "/s", "stream", 1, 3), ("@seq", "seqpacket", 0, 4), (folder + "/a\nb \ufffd", "stream", 0, 1),
            ("@a@b\n\ufffd ", "stream", 0, 2), ("@" + "x" * 107, "stream", 0, 1),
        ])
    )


def test_unix_sockets_are_counted_as_ss_counts_them(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            kept = unix_sockets(folder)
            lines = re.findall(r"^u_(?:str|dgr|seq)\s+(\S+)\s+(\d+)\s+(\d+).* (\d+)\s+\*", run("ss", "-Hxa"), re.M)
            return take(), lines, len(kept)

    (rows, counts, dummy), lines, dummy2 = in_child(inside, NET)
    # The names with a newline take two lines, of which the pattern sees none.
    assert sum(counts["unix"].values()) == len(lines) + 2
    told = Counter(SS_WORDS[state] for state, *dummy3 in lines)
    told["listening"] += 2
    assert counts["unix"] == dict(told)
    queues = {(int(queue), int(limit)) for state, queue, limit, dummy4 in lines if state == "LISTEN"}
    assert queues <= {(row["queue"], row["limit"]) for row in rows}


def test_proc_net_tells_the_same_at_the_same_moment(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        loopback()
        with tempfile.TemporaryDirectory() as folder:
            kept: list[Any] = [
                *unix_sockets(folder), listen("0.0.0.0", 80, 1), listen("::", 81), listen("::ffff:127.0.0.1", 82),
                listen("127.0.0.1", 83, 5, (socket.SOL_SOCKET, SO_BINDTODEVICE, b"lo\0")),
                socket.socket(socket.AF_INET, socket.SOCK_RAW, 1), socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58),
                socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)),
            ]
            for address, port in (("0.0.0.0", 53), ("::1", 54)):
                one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
                one.bind((address, port))
                kept.append(one)
            kept += [socket.create_connection(("127.0.0.1", 80), 5) for dummy in range(2)]
            for end in pair(listen("127.0.0.1", 99)):
                end.close()
            return take(True), take(False)

    (asked, counts, dummy), (read, counts_read, problems) = in_child(inside, NET)
    lost = {"tcp": ("limit", "link"), "udp": ("link",), "raw": ("link",), "packet": (), "unix": ("limit", "queue")}
    for row in asked:
        row.update(dict.fromkeys(lost[row["protocol"]]))
        row["details"].pop("v6only", None)
    assert read == asked
    assert counts_read == counts
    assert {problem["reason"] for problem in problems} == {
        "unsupported: %s is not loaded" % name for name in ("tcp_diag", "udp_diag", "unix_diag")
    }


def test_proc_net_is_that_of_the_thread_that_asks(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        def thread() -> Any:
            namespaces.unshare(NET)
            loopback()
            kept = listen("127.0.0.1", 4711)
            return take(False)[0], kept.fileno()

        return in_thread(thread)[0]

    assert [row["port"] for row in in_child(inside)] == [4711]


def test_a_namespace_without_a_process_is_seen_through_its_socket(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        held = socket.socket(fileno=passing(lambda: listen("0.0.0.0", 8080)))
        namespaces.setns(nsfs.socket_netns(held.fileno()), NET)
        return take()[0], os.fstat(held.fileno()).st_ino

    rows, inode = in_child(inside)
    assert [(row["port"], row["inode"]) for row in rows] == [(8080, inode)]


def test_an_empty_namespace_without_a_process_has_no_socket(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        namespaces.setns(new_namespace("net"), NET)
        return take()

    assert in_child(inside) == ([], {"tcp": {}, "udp": {}, "raw": {}, "packet": {}, "unix": {}}, [])


def test_sockets_of_the_namespace_come_from_are_not_shown(
    held: Callable[..., Any], in_child: Callable[..., Any]
) -> None:
    there = held(lambda: (loopback(), socket.socket(socket.AF_UNIX).close()), NET)

    def inside() -> Any:
        loopback()
        kept = listen("0.0.0.0", 80)
        netns = os.open("/proc/%d/ns/net" % there.pid, os.O_RDONLY)
        namespaces.setns(netns, NET)
        return take()[0], take(False)[0], kept.fileno()

    assert in_child(inside, NET)[:2] == ([], [])


def test_an_unprivileged_user_sees_all_of_their_own(in_child: Callable[..., Any], host_root: bool) -> None:
    def inside() -> Any:
        if host_root:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        namespaces.unshare(namespaces.CLONE_NEWUSER | NET)
        kept = [listen("0.0.0.0", 8080), listen("::", 8081), socket.socket(socket.AF_UNIX)]
        kept[2].bind(b"\0mine")
        kept[2].listen(1)
        return take()

    rows, dummy, problems = in_child(inside)
    assert [row["port"] or row["path"] for row in rows] == [8080, 8081, "@mine"]
    assert rows[0]["limit"] == 5
    assert problems == []


def test_ten_thousand_sockets_are_counted_and_some_kept(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        loopback()
        resource.setrlimit(resource.RLIMIT_NOFILE, (12_000, max(12_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
        server = listen("127.0.0.1", 80, 128)
        kept = [end for dummy in range(4_000) for end in pair(server)]
        for dummy in range(2_000):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind(("127.0.0.1", 0))
            kept.append(one)
        begin = time.process_time()
        found = take(most=100)
        return found, time.process_time() - begin, states_of_ss("-t"), states_of_ss("-u")

    (rows, counts, problems), seconds, tcp, udp = in_child(inside, NET)
    assert counts["tcp"] == tcp == {"listening": 1, "established": 8_000}
    assert counts["udp"] == udp == {"unconnected": 2_000}
    assert len(rows) == 100
    assert problems == [{"what": "sockets", "reason": "truncated", "count": 1_901}]
    assert seconds < 0.5


def test_a_quiet_namespace_costs_little(in_child: Callable[..., Any]) -> None:
    def inside() -> float:
        kept = [listen("0.0.0.0", port) for port in range(80, 85)]
        times = []
        for dummy in range(15):
            begin = time.process_time()
            take()
            times.append(time.process_time() - begin)
        return min(times) if kept else 0

    # The walk through the kernel's table of connections is most of it, and longer where there is more memory.
    entries = Path("/proc/sys/net/ipv4/tcp_ehash_entries")
    walk = max(1.0, abs(int(entries.read_text())) / (1 << 18)) if entries.exists() else 1.0
    assert in_child(inside, NET) < 0.0013 * walk


@pytest.mark.parametrize("answer", [True, False])
def test_no_problem_where_nothing_is_missing(in_child: Callable[..., Any], answer: bool) -> None:
    assert in_child(lambda: take(answer)[2], NET) == []
