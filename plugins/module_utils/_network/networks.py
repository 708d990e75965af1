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
from .._model.inventory import TIMED_OUT, UNREACHABLE, Container
from .._model.network import Network
from .dns import Believed
from .holders import Holders
from .inside import Inside, add
from .proxies import proxies
from .published import published
from .wiring import connect


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
        # The host's first, whatever happens to the others.
        names.sort(key=lambda name: (name != self._own.get("net"), name != self._host.get("net")))
        found: dict[str, Network] = {}
        try:
            for position, name in enumerate(names):
                if scan.late("networks", len(names) - position):
                    break
                network = self._look(name)
                if network is not None:
                    found[name] = network
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

    def _look(self, name: str) -> Network | None:
        try:
            network, problems = self._enter(name).look(name)
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
            if self._scan.clock.over:
                raise TimeoutError(errno.ETIMEDOUT, TIMED_OUT)
            descriptor = self._open(other)
            try:
                return self._enter(network).nsid(network, descriptor)
            except OSError as error:
                self._lost(error)
                raise
            finally:
                os.close(descriptor)

        connect(networks, str(self._own.get("net")), nsids, ask, self._container_in)

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
                if pid is not None and not self._scan.late("dns"):
                    network["dns"] = believed.read(self._scan.proc.path(pid, "root"), self._scan.problems, name)
        finally:
            believed.close()

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
        for name, network in networks.items():
            here = owners.get(name, {})
            network["published"] = published(
                name, network, containers, here.get, known, name == self._host.get("net"), self._scan.problems,
                self._most,
            )

    def _owners(self, networks: dict[str, Network]) -> dict[str, dict[str, str]]:
        """By network: the addresses of the networks that a link of theirs ties to it, and whose they are.

        Two networks that have nothing to do with each other may use the same addresses.
        """
        owners: dict[str, dict[str, str]] = {}
        for name, network in networks.items():
            container = self._container_in(name)
            if container is None:
                continue
            ends = [link["peer"] or link["details"].get("lower") for link in network["links"]]
            for place in {end["network"] for end in ends if end is not None and end["network"] not in (None, name)}:
                for address in network["addresses"]:
                    owners.setdefault(str(place), {}).setdefault(address["address"], container)
        return owners
