"""Whether asking the kernel for something could make it load a module, which nobody wants from somebody who looks.

The kernel runs modprobe(8) for what it does not have (request_module()), whoever asks, with these names:

    sock_diag(7) of a family        net-pf-16-proto-4-type-FAMILY: inet_diag (2, 10), unix_diag (1), af_packet_diag (17)
    and of an Internet protocol     net-pf-16-proto-4-type-2-PROTOCOL: tcp_diag (6), udp_diag (17), raw_diag (255)
    socket(AF_NETLINK, , 12)        net-pf-16-proto-12: nfnetlink, by the mere socket of NETLINK_NETFILTER
    a message for nfnetlink         nfnetlink-subsys-NUMBER: nf_tables (10), nf_conntrack_netlink (1), ip_set (6)
    getsockopt(IPT_SO_GET_INFO)     iptable_TABLE, ip6table_TABLE (and what these need: ip_tables, ip6_tables)

net/core/sock.c (sock_load_diag_module), net/netlink/af_netlink.c, net/netfilter/nfnetlink.c and x_tables.c.
"""
from __future__ import annotations

import errno
import os

_LIMIT = 1 << 20
_FOLDERS = ("lib/modules", "usr/lib/modules")
# Programs of this name look nowhere but there; NixOS and Guix have others, that look elsewhere.
_MODPROBES = (b"/sbin/modprobe", b"/usr/sbin/modprobe", b"/bin/modprobe", b"/usr/bin/modprobe")


class Modules:
    """What the kernel has by now, and whether it could load more. Make it before entering any namespace.

    C(root) is where the host's /proc is, C(files) where its files are. C(in_host_mounts) says that these are what
    modprobe(8) would see: that we are in the mount namespace of the host.
    """

    def __init__(self, root: str = "/proc", files: str = "/", in_host_mounts: bool = False) -> None:
        self._ready: set[str] = set()
        self._fixed = False
        self._built_in_known = False
        listed = _read(root + "/modules")
        if listed is not None:
            # Name, size, users, their names, state. Asking for one that is being removed brings it back.
            for line in listed.splitlines():
                fields = line.split()
                if len(fields) >= 5 and fields[4] == b"Live":
                    self._ready.add(_name(fields[0]))
        release = (_read(root + "/sys/kernel/osrelease") or b"").strip().decode("ascii", "replace")
        if not release or "/" in release:
            # That is no /proc, or only a part of one: nothing is known.
            return
        folders = [os.path.join(files, folder, release) for folder in _FOLDERS]
        for folder in folders:
            built_in = _read(folder + "/modules.builtin")
            self._built_in_known |= built_in is not None and listed is not None
            for line in (built_in or b"").splitlines():
                self._ready.add(_name(line.rsplit(b"/", 1)[-1].split(b".ko", 1)[0]))
        program = _read(root + "/sys/kernel/modprobe")
        if (_read(root + "/sys/kernel/modules_disabled") or b"").strip() == b"1":
            self._fixed = True
        elif program is None:
            # A kernel without module support has neither; who merely hides the list from us leaves the other.
            self._fixed = _lacks(root + "/modules") and _lacks(root + "/sys/kernel/modprobe")
        elif not program.strip():
            self._fixed = True
        elif in_host_mounts and program.strip() in _MODPROBES:
            self._fixed = all(_lacks(folder) for folder in folders)

    def ready(self, name: str) -> bool:
        """Whether what the module C(name) does can be asked for without anything being loaded; false when in doubt.

        That it is true does not mean that the kernel has it.
        """
        return self._fixed or _name(name.encode("ascii", "replace")) in self._ready

    def absent(self, name: str) -> bool:
        """Whether the kernel is known not to have the module now, neither loaded nor built in; false when in doubt."""
        return not self._fixed and self._built_in_known and not self.ready(name)


def _name(raw: bytes) -> str:
    """A module's name as the kernel has it: files may be called otherwise."""
    return raw.decode("ascii", "replace").replace("-", "_")


def _read(path: str) -> bytes | None:
    """Up to 1 MiB of a file; None when it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        chunks = []
        size = 0
        while size < _LIMIT:
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _lacks(path: str) -> bool:
    """Whether something is known not to exist."""
    try:
        os.lstat(path)
    except OSError as error:
        return error.errno == errno.ENOENT
    return False
