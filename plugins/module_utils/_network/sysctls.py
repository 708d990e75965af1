"""The sysctls of a network namespace that matter (Documentation/networking/ip-sysctl.rst), from /proc/sys/net.

That shows the namespace of who reads it. What a namespace does not have (limits of the neighbour tables are common to
all, and the first one has them) is left out.
"""
from __future__ import annotations

import errno
import os
from typing import Dict, List, Tuple, Union

from .._model.inventory import TRUNCATED, UNSUPPORTED
from .look import Look

Value = Union[int, str]

_O_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_O_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_LIMIT = 4096
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ENODEV)

_GROUPS: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    ("core", ("somaxconn",)),
    ("ipv4", (
        "ip_forward", "ip_local_port_range", "ip_local_reserved_ports", "ip_nonlocal_bind",
        "ip_unprivileged_port_start", "ping_group_range", "tcp_fin_timeout", "tcp_keepalive_time",
        "tcp_max_syn_backlog", "tcp_mtu_probing", "tcp_syncookies", "tcp_tw_reuse",
    )),
    ("ipv4/neigh/default", ("gc_thresh1", "gc_thresh2", "gc_thresh3")),
    ("ipv6", ("bindv6only",)),
    ("ipv6/neigh/default", ("gc_thresh1", "gc_thresh2", "gc_thresh3")),
    ("ipv6/route", ("gc_thresh", "max_size")),
    ("netfilter", ("nf_conntrack_count", "nf_conntrack_max", "nf_conntrack_buckets")),
    ("bridge", ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables", "bridge-nf-call-arptables")),
)
_IPV4 = (
    "accept_local", "accept_redirects", "arp_announce", "arp_ignore", "forwarding", "proxy_arp", "route_localnet",
    "rp_filter", "send_redirects",
)
_IPV6 = ("accept_ra", "disable_ipv6", "forwarding")
# For all links, for those to come, and for each: of the last only what often differs.
_CONF = (
    ("ipv4/conf", _IPV4, ("forwarding", "route_localnet", "rp_filter")),
    ("ipv6/conf", _IPV6, _IPV6),
)


def take(look: Look) -> Dict[str, Value]:
    """Values by name as sysctl(8) prints it; those of links for so many as may be kept. Raises OSError.

    In the name of a link C(.) is written as C(/). A value that is no number is text, its parts separated by a blank.
    """
    root = os.open(look.root + "/sys/net", _O_DIRECTORY)
    try:
        return _Reading(look, root).all()
    finally:
        os.close(root)


class _Reading:
    """Reads files below a folder, an error of a kind is counted once."""

    def __init__(self, look: Look, root: int) -> None:
        self._look = look
        self._root = root
        self._errors: Dict[int, OSError] = {}
        self._found: Dict[str, Value] = {}

    def all(self) -> Dict[str, Value]:
        links = [name for dummy, name in sorted(self._look.names.items()) if "/" not in name]
        nameless = sum("\ufffd" in name for name in links)
        if nameless:
            # Not by the name that we have for it: bytes that are no text were replaced.
            self._look.problems.add("sysctls", "EILSEQ", nameless)
        if len(links) > self._look.most:
            self._look.problems.add("sysctls", TRUNCATED, len(links) - self._look.most)
            del links[self._look.most:]
        for folder, names in _GROUPS:
            self._folder(folder, "net.%s." % folder.replace("/", "."), names)
        for folder, names, of_links in _CONF:
            prefix = "net.%s." % folder.replace("/", ".")
            for who in ("all", "default"):
                if not self._folder("%s/%s" % (folder, who), "%s%s." % (prefix, who), names):
                    break
            else:
                for link in links:
                    self._folder("%s/%s" % (folder, link), "%s%s." % (prefix, link.replace(".", "/")), of_links)
        for error in self._errors.values():
            self._look.problems.error("sysctls", error)
        if not self._found and not self._errors:
            # Every kernel has some; something else lies over /proc/sys/net.
            self._look.problems.add("sysctls", UNSUPPORTED)
        return self._found

    def _folder(self, folder: str, prefix: str, names: Tuple[str, ...]) -> bool:
        """Read the files of a folder; whether there is such a folder."""
        try:
            directory = os.open(folder, _O_DIRECTORY, dir_fd=self._root)
        except OSError as error:
            self._failed(error)
            return False
        try:
            for name in names:
                try:
                    descriptor = os.open(name, _O_FILE, dir_fd=directory)
                    try:
                        raw = os.read(descriptor, _LIMIT)
                    finally:
                        os.close(descriptor)
                except OSError as error:
                    self._failed(error)
                    continue
                self._found[prefix + name] = self._value(raw)
            return True
        finally:
            os.close(directory)

    def _failed(self, error: OSError) -> None:
        if error.errno not in _GONE:
            self._errors.setdefault(error.errno or 0, error)

    def _value(self, raw: bytes) -> Value:
        try:
            return int(raw)
        except ValueError:
            if len(raw) == _LIMIT:
                self._look.problems.add("sysctls", TRUNCATED)
            return _text(raw)


def _text(raw: bytes) -> str:
    parts: List[str] = raw.decode("utf-8", "replace").split()
    return " ".join(parts)
