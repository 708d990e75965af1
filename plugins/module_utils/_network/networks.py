"""Every network namespace that a scan found, looked at one after the other, and what they are to each other."""
from __future__ import annotations

import errno
import os
from typing import Dict, cast

from .._discover.ancestors import open_namespace
from .._discover.scan import Scan
from .._kernel import nsfs
from .._kernel.libc import KernelLacks
from .._kernel.modules import Modules
from .._kernel.namespaces import CLONE_NEWNET
from .._kernel.reader import FileReader
from .._model.inventory import TIMED_OUT, TRUNCATED, UNREACHABLE, VANISHED, Container
from .._model.network import Network
from .dns import Believed
from .holders import Holders
from .inside import Inside, add
from .proxies import proxies
from .published import published
from .wiring import connect

_BYTES = 1 << 15  # of all networks together, for each entry that a list may have
_SHARE = 4        # so many times its fair share of the time a network may use,
_LEAST = 0.1      # and so many seconds, in which any that is not filled on purpose is read


class Survey:
    """Looks at all networks of a scan. C(own) is the caller's network, C(host) the host's, C(most) entries a list."""

    def __init__(self, scan: Scan, containers: list[Container], own: dict[str, str], host: dict[str, str],
                 most: int) -> None:
        self._scan = scan
        self._own = own
        self._host = host
        self._most = most
        self._containers = {container.id: container for container in containers}
        self._members = {pid: container.id for container in containers for pid in container.members}
        self._modules = Modules(in_host_mounts=own.get("mnt") == host.get("mnt"))
        self._children: Dict[str, Inside] = {}
        # Where the child that goes everywhere is, in our own network at first; None: not known.
        self._place = own.get("net")

    def take(self) -> dict[str, Network]:
        """All that may be looked at, by name; what may not is counted as a problem."""
        scan = self._scan
        names = [name for name, space in scan.namespaces.items() if space.type == "net"]
        # The host's first, whatever happens to the others; last what anybody may have made.
        names.sort(key=lambda name: (
            name != self._own.get("net"), name != self._host.get("net"), not self._is_of_an_engine(name)))
        found: dict[str, Network] = {}
        sizes: dict[str, int] = {}
        try:
            for position, name in enumerate(names):
                if scan.late("networks", len(names) - position):
                    break
                network = self._look(name, len(names) - position, sizes)
                if network is not None:
                    found[name] = network
                    self._bound(found, sizes)
            self._connect(found)
        finally:
            for child in self._children.values():
                child.close()
            for descriptor in (scan.kept or {}).values():
                os.close(descriptor)
        self._add_holders(found)
        self._add_beliefs(found)
        self._add_published(found)
        return found

    def _is_of_an_engine(self, name: str) -> bool:
        return any(self._containers[known].engine != "unknown" for known in self._scan.namespaces[name].containers
                   if known in self._containers)

    def _bound(self, found: dict[str, Network], sizes: dict[str, int]) -> None:
        """Drop the largest, should all become too much: who fills a network pays for it with that one."""
        others = [name for name in sizes if name not in (self._own.get("net"), self._host.get("net"))]
        while others and sum(sizes.values()) > _BYTES * max(500, self._most):
            largest = max(others, key=lambda name: sizes[name])
            others.remove(largest)
            del sizes[largest], found[largest]
            self._scan.problems.add("networks", TRUNCATED)

    def _look(self, name: str, waiting: int, sizes: dict[str, int]) -> Network | None:
        # Ours and the host's cannot be made slow by others.
        first = name in (self._own.get("net"), self._host.get("net"))
        left = self._scan.clock.left()
        patience = left / 2 if first else max(_LEAST, _SHARE * left / waiting)
        try:
            network, problems, sizes[name] = self._enter(name).look(name, patience)
        except OSError as error:
            self._lost(error)
            if isinstance(error, nsfs.NamespaceGone):
                # Or not to be seen by us: the kernel does not say which.
                self._scan.problems.add("networks", UNREACHABLE)
            else:
                self._scan.problems.error("networks", error)
            return None
        add(self._scan.problems, name, problems)
        return cast(Network, network)

    def _enter(self, name: str) -> Inside:
        """The child that is in a network now. One goes everywhere, as far as our rights go."""
        child = self._child("others")
        if self._place == name:
            return child
        if name == self._own.get("net"):
            # Never left: no right is needed to be there.
            return self._child("own")
        self._place = None
        descriptor = self._open(name)
        try:
            child.join(descriptor)
        except OSError as error:
            if error.errno != errno.EPERM:
                raise
            return self._enter_as_owner(name, descriptor, error)
        finally:
            os.close(descriptor)
        self._place = name
        return child

    def _enter_as_owner(self, name: str, descriptor: int, refusal: OSError) -> Inside:
        """Who owns a user namespace has all rights in what belongs to it, but only from inside (user_namespaces(7))."""
        owner = self._scan.namespaces[name].owner
        if owner is None or owner == self._own.get("user"):
            raise refusal
        try:
            if owner not in self._children:
                user = open_namespace(self._scan, owner)
                try:
                    self._child(owner).join_user(user)
                finally:
                    os.close(user)
            self._child(owner).join(descriptor)
        except OSError as error:
            self._lost(error, owner)
            raise refusal from None
        return self._child(owner)

    def _lost(self, error: OSError, *children: str) -> None:
        """A child that gave no answer is replaced by one that has been nowhere yet."""
        if isinstance(error, TimeoutError):
            self._place = None
            children = tuple(key for key in self._children if key not in ("own", "others"))
        for key in children:
            self._children.pop(key).close()

    def _child(self, key: str) -> Inside:
        if key not in self._children:
            self._children[key] = Inside(self._most, self._modules, self._scan.clock.until)
        return self._children[key]

    def _open(self, name: str) -> int:
        """A descriptor of a namespace: through /proc, kept from when its mount was found, or by its handle (6.18)."""
        kept = (self._scan.kept or {}).get(name)
        if kept is not None:
            return os.dup(kept)
        try:
            return open_namespace(self._scan, name)
        except OSError:
            space = self._scan.namespaces[name]
            if space.ns_id is None:
                raise
            try:
                return nsfs.open_handle(nsfs.Handle(space.ns_id, CLONE_NEWNET, space.inode))
            except KernelLacks:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from None

    def _connect(self, networks: dict[str, Network]) -> None:
        nsids = {
            space.nsid: name for name, space in self._scan.namespaces.items()
            if space.type == "net" and space.nsid is not None
        }

        def ask(network: str, other: str) -> int | None:
            try:
                if self._scan.clock.over:
                    raise TimeoutError(errno.ETIMEDOUT, TIMED_OUT)
                descriptor = self._open(other)
                try:
                    return self._enter(network).nsid(network, descriptor)
                finally:
                    os.close(descriptor)
            except OSError as error:
                self._lost(error)
                self._scan.problems.error("ends of links of %s" % network, error)
                raise

        cut = connect(networks, str(self._own.get("net")), nsids, ask, self._container_in)
        if cut:
            self._scan.problems.add("ends of links", TRUNCATED, cut)

    def _container_in(self, name: str) -> str | None:
        """The container that a network is told by: its oldest, which is the one that the others joined."""
        if name == self._host.get("net"):
            return None
        inside = [self._containers[known] for known in self._scan.namespaces[name].containers
                  if known in self._containers and self._containers[known].namespaces.get("net") == name]
        return min(inside, key=lambda container: (container.start_time, container.pid)).id if inside else None

    def _add_holders(self, networks: dict[str, Network]) -> None:
        holders = Holders(self._scan, self._members.get, self._most)
        if any(link["kind"] == "tun" for network in networks.values() for link in network["links"]):
            holders.find_tuns()
        for name, network in networks.items():
            holders.fill(name, network)

    def _add_beliefs(self, networks: dict[str, Network]) -> None:
        believed = Believed(self._scan.clock.until, self._most)
        try:
            for name, network in networks.items():
                pid = self._resident(name)
                if pid is None or self._scan.late("dns"):
                    continue
                root = self._scan.proc.path(pid, "root")
                beliefs = believed.read(root, self._scan.problems, name, trusted=pid == "self")
                if pid == "self" or self._is_still(int(str(pid)), name):
                    network["dns"] = beliefs
                else:
                    self._scan.problems.add("dns of %s" % name, VANISHED)
        finally:
            believed.close()

    def _is_still(self, pid: int, network: str) -> bool:
        """Whether a process is the one that the scan saw, and where it was: numbers are used again."""
        known = self._scan.processes.get(pid)
        try:
            return (known is not None and self._scan.proc.stat(pid).start_time == known.start_time
                    and os.readlink(self._scan.proc.path(pid, "ns", "net")) == network)
        except OSError:
            return False

    def _resident(self, name: str) -> object:
        """The process whose files are those of a network: of the container that works there, not of its pod's infra."""
        if name == self._own.get("net"):
            return "self"
        inside = [self._containers[known] for known in self._scan.namespaces[name].containers
                  if known in self._containers and self._containers[known].namespaces.get("net") == name]
        if inside and name != self._host.get("net"):
            return min(inside, key=lambda container: (container.infra, container.start_time, container.pid)).pid
        leader = self._scan.namespaces[name].leader
        return None if leader is None else leader.pid

    def _add_published(self, networks: dict[str, Network]) -> None:
        containers = list(self._containers.values())
        with FileReader(until=self._scan.clock.until) as files:
            known = proxies(self._scan, files, containers)
        owners = self._owners(networks)
        for position, (name, network) in enumerate(networks.items()):
            if self._scan.late("published ports", len(networks) - position):
                break
            here = owners.get(name, {})
            try:
                network["published"] = published(
                    name, network, containers, here.get, known, name == self._host.get("net"), self._scan.problems,
                    self._most,
                )
            except Exception:  # whatever rules of a hostile network provoke is that network's failure only
                self._scan.problems.add("published ports of %s" % name, "EIO")

    def _owners(self, networks: dict[str, Network]) -> dict[str, dict[str, str | None]]:
        """By network: the addresses of the networks that a link of theirs ties to it, and whose they are.

        Two networks that have nothing to do with each other may use the same addresses. Of two that are tied to the
        same one neither is believed: whoever may configure a network can give it any address.
        """
        owners: dict[str, dict[str, str | None]] = {}
        for name, network in networks.items():
            container = self._container_in(name)
            if container is None:
                continue
            ends = [link["peer"] or link["details"].get("lower") for link in network["links"]]
            for place in {end["network"] for end in ends if end is not None and end["network"] not in (None, name)}:
                for address in {one["address"] for one in network["addresses"] if one["scope"] != "host"}:
                    here = owners.setdefault(str(place), {})
                    here[address] = container if here.get(address, container) == container else None
        return owners
