# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three small containers from the kernel alone, for the time of a command.

    python3 scripts/demo_containers.py needed             status 0 when this machine has no container, else 1
    python3 scripts/demo_containers.py run -- COMMAND...  make them, run COMMAND, remove them; COMMAND's status

web and db have all their own (mount, UTS, IPC, PID, network and cgroup namespace), sidecar uses web's network. In each
runs a web server. A bridge joins them, in a network namespace that is theirs too: no link, address or firewall rule of
this machine is touched, and nothing is left however they end. Each process dies with its parent, and what was in a
namespace goes with its last process. Without root they live in a user namespace, where the kernel allows that.
"""

from __future__ import annotations

import errno
import http.server
import importlib
import os
import signal
import socket
import socketserver
import struct
import subprocess
import sys
from typing import Any, NamedTuple

# As a folder of packages, not as the collection: that needs neither Ansible nor the link in .collections.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "plugins"))

from module_utils._kernel import mounts, netlink
from module_utils._kernel.libc import KernelLacks
from module_utils._kernel.namespaces import TYPES, setns, unshare
from module_utils._kernel.prctl import set_pdeathsig

BRIDGE = "demo0"
NETWORK = "192.0.2.%d"  # RFC 5737: for documentation, so it cannot be anybody's
SECONDS = 20

# include/uapi/linux/{rtnetlink,if_link,if_addr,veth}.h
RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE = 16, 20, 24
NLM_F_ACK, NLM_F_CREATE_NEW = 0x4, 0x600
IFLA_IFNAME, IFLA_MASTER, IFLA_LINKINFO, IFLA_NET_NS_FD = 3, 10, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL, RTA_GATEWAY = 1, 2, 5
IFF_UP = 1


class Container(NamedTuple):
    """A container to be: the last byte of its address, and whose network it uses instead of an own one."""

    name: str
    address: int
    port: int
    network_of: str | None = None


CONTAINERS = (Container("web", 2, 80), Container("db", 3, 5432), Container("sidecar", 2, 9090, "web"))


class Failed(Exception):
    """Why they could not be made, as a sentence."""


def make(kind: int, payload: bytes) -> None:
    """One rtnetlink request in the network namespace that we are in."""
    route = netlink.Route(SECONDS)
    try:
        route.ask(kind, payload, NLM_F_ACK | NLM_F_CREATE_NEW)
    finally:
        route.close()


def link(index: int = 0, flags: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, flags)


def kind_of(kind: bytes, data: bytes = b"") -> bytes:
    nested = netlink.attribute(IFLA_INFO_KIND, kind)
    return netlink.attribute(IFLA_LINKINFO, nested + (netlink.attribute(IFLA_INFO_DATA, data) if data else b""))


def set_link(name: str, attributes: bytes = b"") -> None:
    """Bring it up."""
    route = netlink.Route(SECONDS)
    try:
        route.ask(RTM_NEWLINK, link(socket.if_nametoindex(name), IFF_UP) + attributes, NLM_F_ACK)
    finally:
        route.close()


def set_address(name: str, address: str) -> None:
    raw = socket.inet_aton(address)
    head = struct.pack("=BBBBI", socket.AF_INET, 24, 0, 0, socket.if_nametoindex(name))
    make(RTM_NEWADDR, head + netlink.attribute(IFA_LOCAL, raw) + netlink.attribute(IFA_ADDRESS, raw))


def make_bridge() -> None:
    make(RTM_NEWLINK, link() + netlink.attribute(IFLA_IFNAME, BRIDGE.encode()) + kind_of(b"bridge"))
    set_address(BRIDGE, NETWORK % 1)
    set_link(BRIDGE)
    set_link("lo")


def forward_packets() -> None:
    """As a host of containers does. A new network has this from the machine, where it may be off: a fault."""
    try:
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as setting:
            setting.write("1")
    except OSError:
        pass  # a sandbox whose /proc/sys is read-only; the containers reach each other all the same


def make_cable(name: str, network: int) -> None:
    """A veth pair: one end at the bridge, the other as eth0 in the network namespace behind that descriptor."""
    inside = netlink.attribute(IFLA_IFNAME, b"eth0") + netlink.attribute(IFLA_NET_NS_FD, struct.pack("=I", network))
    outside = netlink.attribute(IFLA_IFNAME, name.encode())
    make(RTM_NEWLINK, link() + outside + kind_of(b"veth", netlink.attribute(VETH_INFO_PEER, link() + inside)))
    set_link(name, netlink.attribute(IFLA_MASTER, struct.pack("=I", socket.if_nametoindex(BRIDGE))))


def set_up_network(container: Container) -> None:
    set_link("lo")
    set_link("eth0")
    set_address("eth0", NETWORK % container.address)
    # rtmsg: table main, protocol static, scope universe, unicast
    head = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 4, 0, 1, 0)
    make(RTM_NEWROUTE, head + netlink.attribute(RTA_GATEWAY, socket.inet_aton(NETWORK % 1)))


def set_up_root() -> None:
    """A root of its own: this machine's programs, read-only, in a tmpfs that nobody else sees."""
    root = "/tmp"
    keep_mounts_from_others()
    mounts.mount("demo", root, "tmpfs", mounts.MS_NOSUID | mounts.MS_NODEV, "mode=755")
    for name in ("usr", "bin", "sbin", "lib", "lib64", "etc"):
        source, target = "/" + name, os.path.join(root, name)
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
        elif os.path.isdir(source):
            os.mkdir(target)
            mounts.mount(source, target, None, mounts.MS_BIND | mounts.MS_REC)
            make_read_only(target)
    for name in ("proc", "tmp", "old"):
        os.mkdir(os.path.join(root, name))
    try:
        mounts.mount("proc", root + "/proc", "proc", mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC)
    except PermissionError:
        pass  # a sandbox that hides parts of /proc allows no other one; the containers live without
    os.chdir(root)
    try:
        mounts.pivot_root(".", "old")
        os.chdir("/")
        mounts.umount2("/old", mounts.MNT_DETACH)
        os.rmdir("/old")
    except OSError as error:
        # In a chroot the root directory is no mount, and cannot be exchanged.
        if error.errno != errno.EINVAL:
            raise
        os.chroot(".")
        os.chdir("/")


def keep_mounts_from_others() -> None:
    """What is mounted from now on in our mount namespace is mounted nowhere else."""
    try:
        mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # In a chroot the root directory is no mount. Joining a mount namespace leads to its own root, for a moment.
        chroot = os.open("/", os.O_RDONLY)
        own = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        setns(own, TYPES["mnt"])
        mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        os.fchdir(chroot)
        os.chroot(".")
        os.close(own)
        os.close(chroot)


def make_read_only(path: str) -> None:
    try:
        mounts.mount_setattr(mounts.AT_FDCWD, path, mounts.AT_RECURSIVE, attr_set=mounts.MOUNT_ATTR_RDONLY)
    except KernelLacks:
        # Flags that are locked in a user namespace have to be given again.
        locked = os.statvfs(path).f_flag & (mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC)
        mounts.mount(None, path, None, mounts.MS_REMOUNT | mounts.MS_BIND | mounts.MS_RDONLY | locked)


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"This is {socket.gethostname()}.\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def contain(container: Container, line: socket.socket, network: int | None) -> None:
    """Process 1 of a container. Returns when it is stopped; raises OSError when it cannot be made."""
    set_pdeathsig(signal.SIGKILL)
    kinds = ["mnt", "uts", "ipc", "cgroup"] + (["net"] if network is None else [])
    if network is not None:
        setns(network, TYPES["net"])
    unshare(sum(TYPES[kind] for kind in kinds))
    with open("/proc/self/comm", "w", encoding="ascii") as comm:
        comm.write("demo-" + container.name)
    socket.sethostname("demo-" + container.name)
    if network is None:
        own = os.open("/proc/self/ns/net", os.O_RDONLY)
        socket.send_fds(line, [b"net"], [own])
        os.close(own)
        if not line.recv(16):
            return
        set_up_network(container)
    importlib.import_module("encodings.idna")  # what binding a socket looks for: not to be found in the new root
    set_up_root()
    # Not HTTPServer, which looks up its own name, and may wait for a nameserver.
    server = socketserver.TCPServer((NETWORK % container.address, container.port), Page)
    line.send(b"ready")
    server.serve_forever()


def close_all_but(*descriptors: int) -> None:
    """What the caller of this program has open is nothing for a container."""
    last = 2
    for descriptor in sorted(descriptors):
        os.closerange(last + 1, descriptor)
        last = descriptor
    os.closerange(last + 1, os.sysconf("SC_OPEN_MAX"))


def keep(container: Container, line: socket.socket, lifeline: int, network: int | None) -> None:
    """The parent of a container's process 1, outside of its PID namespace. Never returns."""
    try:
        set_pdeathsig(signal.SIGKILL)
        close_all_but(line.fileno(), lifeline, *(() if network is None else (network,)))
        unshare(TYPES["pid"])
        child = os.fork()
        if child == 0:
            contain(container, line, network)
        else:
            line.close()
            signal.signal(signal.SIGTERM, lambda number, frame: os.kill(child, signal.SIGKILL))
            os.waitpid(child, 0)
    except Exception as error:  # whatever it is: the other side says it in a sentence
        line.send(f"{container.name}: {getattr(error, 'strerror', None) or repr(error)}".encode())
    finally:
        os._exit(0)


def start(container: Container, lifeline: int, network: int | None) -> tuple[int, int]:
    """Make a container from where the bridge is. The process that keeps it, and its network namespace's descriptor."""
    ours, theirs = socket.socketpair()
    keeper = os.fork()
    if keeper == 0:
        ours.close()
        keep(container, theirs, lifeline, network)
    theirs.close()
    with ours:
        ours.settimeout(SECONDS)
        if network is None:
            said, descriptors, dummy, dummy2 = socket.recv_fds(ours, 512, 1)
            if said != b"net":
                raise Failed(said.decode() or f"{container.name}: ended")
            network = descriptors[0]
            make_cable(container.name, network)
            ours.send(b"go")
        said = ours.recv(512)
        if said != b"ready":
            raise Failed(said.decode() or f"{container.name}: ended")
    return keeper, network


def become_root() -> None:
    """A user namespace in which we are root."""
    user, group = os.getuid(), os.getgid()
    try:
        unshare(TYPES["user"])
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open("/proc/self/" + name, "w", encoding="ascii") as file:
                file.write(text)
    except OSError as error:
        raise Failed(f"without root this kernel lets nobody make one ({error.strerror})") from error


def host(line: socket.socket, lifeline: int, caller: int) -> None:
    """The machine of the containers, in a process: it holds the bridge until the other end of the line is closed."""
    os.setsid()  # the terminal's Ctrl-C is for the command
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    close_all_but(line.fileno(), lifeline)
    started: dict[str, tuple[int, int]] = {}
    try:
        if os.geteuid() != 0:
            become_root()
        set_pdeathsig(signal.SIGKILL)
        if os.getppid() != caller:
            return
        unshare(TYPES["net"])
        make_bridge()
        forward_packets()
        for container in CONTAINERS:
            network = started[container.network_of][1] if container.network_of else None
            started[container.name] = start(container, lifeline, network)
        for network in {network for dummy, network in started.values()}:
            os.close(network)
        line.send(b"ready")
        line.recv(1)
    except (Failed, OSError) as error:
        line.send((getattr(error, "strerror", None) or str(error)).encode())
    finally:
        for keeper, dummy in started.values():
            os.kill(keeper, signal.SIGTERM)
        for keeper, dummy in started.values():
            os.waitpid(keeper, 0)


def run(command: list[str]) -> int:
    """Make them, run the command, remove them. Its status, or 128 and the signal that ended it."""
    caller = os.getpid()
    ours, theirs = socket.socketpair()
    # Every process of the containers has the writing end: reading ends when the last of them has.
    gone, lifeline = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            host(theirs, lifeline, caller)
        finally:
            os._exit(1)
    theirs.close()
    os.close(lifeline)
    ours.settimeout(2 * SECONDS)
    try:
        try:
            said = ours.recv(512)
        except TimeoutError:
            os.kill(child, signal.SIGKILL)
            said = b"no answer in time"
        if said != b"ready":
            print(f"demo_containers: no container could be made: {said.decode() or 'ended'}", file=sys.stderr)
            return 1
        return wait_for(command)
    finally:
        ours.close()
        os.waitpid(child, 0)
        os.read(gone, 1)


def wait_for(command: list[str]) -> int:
    # Ctrl-C reaches the command by itself; what is sent to us alone is passed on.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        # Nobody would tell it that the containers are gone.
        process = subprocess.Popen(command, preexec_fn=lambda: set_pdeathsig(signal.SIGTERM))
    except OSError as error:
        print(f"demo_containers: {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: process.send_signal(number))
    status = process.wait()
    return 128 - status if status < 0 else status


def needed() -> bool:
    """Whether this machine has no container that can be seen from here."""
    from module_utils._facts import Request, gather

    return not gather(Request(gather_subset=("containers",), scan=("processes",)))["containers"]


def main(arguments: list[str]) -> int:
    if arguments == ["needed"]:
        return 0 if needed() else 1
    if arguments[:2] == ["run", "--"] and arguments[2:]:
        return run(arguments[2:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
