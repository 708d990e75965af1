# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks that Podman, CNI's plugins and LXC make, beside what these say of them and what ip says inside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig.bridge import Bridge
from rig.look import Look
from rig.lxc import Lxc
from rig.machine import Machine
from rig.podman import Podman
from rig.programs import environment, program
from rig.runc import Runc
from rig.supervisor import Supervisor
from rig.waiting import until

from ansible_collections.nsfleet.linux.plugins.module_utils._audit.checks import judge

# Where CNI's plugins and Podman keep what is in use, and Podman its locks: on this machine nothing is.
SHARED = ("/var/lib/cni", "/run/netns", "/dev/shm")
PLUGINS = "/usr/lib/cni"
CNI = Path("/etc/cni/net.d/87-podman-bridge.conflist")
# Named when it is the one that others join.
IN_POD = {"pod-one", "pod-two", "infra"}
PODMANS = {
    "plain": ["--publish", "19080:80"],
    "remapped": ["--uidmap", "0:200000:2000", "--gidmap", "0:200000:2000"],
    "joined": ["--network", "container:plain"],
    "pod-one": ["--pod", "nsft-pod"],
    "pod-two": ["--pod", "nsft-pod"],
}


class Scene:
    """What runs, and one look at it. C(pids) are those of the machine."""

    def __init__(self, machine: Machine, podman: Podman, supervisor: Supervisor, rootfs: Path) -> None:
        self.machine = machine
        self.pids: dict[str, int] = {}
        self._run_podman(podman)
        self._run_cni(supervisor.root / "cni", rootfs)
        self._run_lxc(supervisor.root / "lxc-net", rootfs)
        log = supervisor.root / "unshare-net.log"
        machine.start(program("unshare", "util-linux"), "--user", "--map-root-user", "--net", "sleep", "651", log=log)
        self.pids["unshare"] = until(lambda: self._pid_of("sleep 651"), f"no namespaces, see {log}")
        machine.settle(0, *self.pids.values())
        self.look = Look(machine)
        self.facts = self.look()
        self.host: str = self.facts["host"]["net"]
        self.names = {
            name: machine.run("readlink", f"/proc/{pid}/ns/net").stdout.strip() for name, pid in self.pids.items()
        }

    def delete(self) -> None:
        """Have CNI's plugins take back what they made."""
        for plugin in reversed(self.conflist["plugins"]):
            self._cni(plugin, "DEL")

    def close(self) -> None:
        """End what is not Podman's."""
        self.look.close()
        self.runc.stop()
        self.lxc.stop()

    def network(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.facts["networks"][self.names[name]]
        return found

    def link(self, network: str, name: str) -> dict[str, Any]:
        (found,) = [one for one in self.facts["networks"][network]["links"] if one["name"] == name]
        return dict(found)

    def container(self, name: str) -> dict[str, Any]:
        """Our entry of a container."""
        (found,) = [one for one in self.facts["containers"] if one["pid"] == self.pids[name]]
        return dict(found)

    def _run_podman(self, podman: Podman) -> None:
        podman("pod", "create", "--name", "nsft-pod", "--network", "podman", "--infra-image", podman.image,
               "--infra-command", "/bin/sleep 600")
        for name, options in PODMANS.items():
            own = [] if {"--network", "--pod"} & set(options) else ["--network", "podman"]
            podman("run", "--detach", "--name", name, *own, *options, podman.image, "/bin/busybox",
                   *(["httpd", "-f", "-p", "80"] if name == "plain" else ["sleep", "600"]))
        infra = podman.inspect_pod("nsft-pod")["InfraContainerID"]
        self.said = dict(zip([*PODMANS, "infra"], podman.inspect(*PODMANS, infra)))
        self.pids.update({name: one["State"]["Pid"] for name, one in self.said.items()})

    def _run_cni(self, folder: Path, rootfs: Path) -> None:
        self.runc = Runc(self.machine, folder, rootfs, folder / "state")
        self.pids["cni"] = self.runc.run(f"{self.machine.token}-cni")
        bridge = Bridge(self.machine, "c").claim()
        self.conflist: dict[str, Any] = {"cniVersion": "0.4.0", "name": "nsft", "plugins": [
            {"type": "bridge", "bridge": bridge.name, "isGateway": True, "ipMasq": True, "mtu": 1450, "ipam": {
                "type": "host-local", "dataDir": str(folder / "allocated"), "routes": [{"dst": "0.0.0.0/0"}],
                "ranges": [[{"subnet": str(bridge.network)}]]}},
            {"type": "portmap", "capabilities": {"portMappings": True}, "runtimeConfig": {"portMappings": [
                {"hostPort": 19090, "containerPort": 90, "protocol": "tcp"}]}},
        ]}
        self._input = folder / "input"
        self.added: dict[str, Any] = {}
        for plugin in self.conflist["plugins"]:
            self.added = self._cni(plugin, "ADD")

    def _cni(self, plugin: dict[str, Any], command: str) -> dict[str, Any]:
        """One plugin, as cni's specification says (version 0.4.0)."""
        more = {"prevResult": self.added} if self.added else {}
        head = {key: self.conflist[key] for key in ("cniVersion", "name")}
        self._input.write_text(json.dumps({**head, **plugin, **more}))
        done = self.machine.run(
            f"{PLUGINS}/{plugin['type']}", stdin=self._input, env=environment(
                CNI_COMMAND=command, CNI_CONTAINERID="nsft-cni", CNI_IFNAME="eth0", CNI_PATH=PLUGINS,
                CNI_NETNS=f"/proc/{self.pids['cni']}/ns/net"))
        return dict(json.loads(done.stdout or "{}"))

    def _run_lxc(self, folder: Path, rootfs: Path) -> None:
        bridge = Bridge(self.machine, "l").make()
        self.lxc_address, gateway = str(bridge.network[2]), str(bridge.network[1])
        lines = {"type": "veth", "link": bridge.name, "flags": "up", "name": "eth0",
                 "ipv4.address": f"{self.lxc_address}/24", "ipv4.gateway": gateway}
        self.lxc_bridge, self.lxc_gateway = bridge.name, gateway
        settings = "\n".join(f"lxc.net.0.{key} = {one}" for key, one in lines.items())
        self.lxc = Lxc(self.machine, folder, rootfs, settings)
        self.pids["lxc"] = self.lxc.run(f"{self.machine.token}-lxc")

    def _pid_of(self, command: str) -> int:
        """As seen in the machine."""
        found = self.machine.run("sh", "-c", "grep -lzx sleep /proc/[0-9]*/cmdline | xargs grep -lzx 651", check=False)
        return int(found.stdout.split("/")[2]) if found.stdout else 0


@pytest.fixture(scope="module")
def scene(supervisor: Supervisor, rootfs: Path, archive: Path) -> Iterator[Scene]:
    machine = Machine(supervisor, supervisor.root / "machine-o.log")
    mount = program("mount", "util-linux")
    # The network that Debian's Podman has by default; the lock beside it is made anew.
    kept = CNI.read_text()
    for folder in (*SHARED, str(CNI.parent)):
        machine.run("mkdir", "-p", folder)
        machine.run(mount, "-t", "tmpfs", "tmpfs", folder)
    (supervisor.root / "conflist").write_text(kept)
    machine.run("cp", str(supervisor.root / "conflist"), str(CNI))
    podman = Podman(machine, supervisor.root / "podman-o", archive)
    podman.start()
    try:
        started = Scene(machine, podman, supervisor, rootfs)
        yield started
        started.close()
        podman.stop()
    finally:
        machine.close_machine()


ALL = [*PODMANS, "infra", "cni", "lxc", "unshare"]


@pytest.fixture(params=ALL)
def name(request: pytest.FixtureRequest) -> str:
    """Each of them in turn."""
    return str(request.param)


def test_everything_was_seen(scene: Scene) -> None:
    assert scene.facts["problems"] == []


def test_links_and_addresses_are_ip_s(scene: Scene, name: str) -> None:
    rows = scene.machine.rows("address", inside=scene.pids[name])
    assert {(row["ifname"], row["ifindex"], row["mtu"], row["address"], row["operstate"].lower()) for row in rows} == {
        (one["name"], one["index"], one["mtu"], one["mac"], one["state"]) for one in scene.network(name)["links"]}
    assert {(one["local"], one["prefixlen"], row["ifname"]) for row in rows for one in row["addr_info"]} == {
        (one["address"], one["prefix"], one["link"]) for one in scene.network(name)["addresses"]}


def test_routes_are_ip_s(scene: Scene, name: str) -> None:
    rows = scene.machine.rows("route", inside=scene.pids[name])
    assert {(row["dst"], row.get("gateway"), row["dev"]) for row in rows} == {
        (one["destination"], one["gateway"], one["link"]) for one in scene.network(name)["routes"]
        if (one["family"], one["table"]) == ("inet", "main")}


@pytest.mark.parametrize("name", ["plain", "remapped", "infra"])
def test_addresses_are_podman_s(scene: Scene, name: str) -> None:
    said, network = scene.said[name]["NetworkSettings"]["Networks"]["podman"], scene.network(name)
    assert (said["IPAddress"], said["IPPrefixLen"], "eth0") in {
        (one["address"], one["prefix"], one["link"]) for one in network["addresses"]}
    assert scene.link(scene.names[name], "eth0")["mac"] == said["MacAddress"]
    assert {one["gateway"] for one in network["routes"] if one["destination"] == "default"} == {said["Gateway"]}


@pytest.mark.parametrize(("name", "bridge"), [
    ("plain", "cni-podman0"), ("remapped", "cni-podman0"), ("infra", "cni-podman0"), ("cni", ""), ("lxc", ""),
])
def test_both_ends_of_a_veth_name_each_other(scene: Scene, name: str, bridge: str) -> None:
    bridge = bridge or {"cni": scene.conflist["plugins"][0]["bridge"], "lxc": scene.lxc_bridge}[name]
    index = scene.machine.rows("link", "show", "dev", "eth0", inside=scene.pids[name])[0]["link_index"]
    far = next(row for row in scene.machine.rows("link") if row["ifindex"] == index)
    assert far["master"] == bridge
    assert scene.link(scene.names[name], "eth0")["peer"] == {
        "network": scene.host, "name": far["ifname"], "container": None}
    assert scene.link(scene.host, far["ifname"])["peer"] == {
        "network": scene.names[name], "name": "eth0", "container": scene.container(name)["id"]}
    assert far["ifname"] in scene.link(scene.host, bridge)["details"]["ports"]


def test_a_pod_has_one_network_and_its_containers_are_in_it(scene: Scene) -> None:
    assert len({scene.names[name] for name in IN_POD}) == 1
    inside = {one["name"] for one in scene.facts["containers"] if one["namespaces"]["net"] == scene.names["infra"]}
    assert inside == {scene.said[name]["Name"] for name in IN_POD}
    assert scene.names["joined"] == scene.names["plain"]


def test_names_are_those_of_podman_s_files(scene: Scene) -> None:
    for name in ("plain", "remapped"):
        lines = [line.split() for line in Path(scene.said[name]["ResolvConfPath"]).read_text().splitlines()]
        dns = scene.network(name)["dns"]
        assert dns["nameservers"] == [one for line in lines if line[:1] == ["nameserver"] for one in line[1:]]
        assert dns["hostname"] == scene.said[name]["Config"]["Hostname"]


def test_the_listener_is_the_container_s_program(scene: Scene) -> None:
    (found,) = [one for one in scene.network("plain")["listening"] if one["protocol"] == "tcp"]
    assert (found["port"], found["processes"]) == (80, [
        {"pid": scene.pids["plain"], "comm": "busybox", "container": scene.said["plain"]["Id"]}])


def test_a_network_of_a_user_namespace_is_seen_like_any_other(scene: Scene) -> None:
    owners = {one["name"]: one["owner"] for one in scene.facts["inventory"]}
    for name in ("remapped", "unshare"):
        assert owners[scene.names[name]] != owners[scene.host]
        assert scene.network(name)["links"]


def test_what_the_plugins_of_cni_made_is_what_they_said(scene: Scene) -> None:
    network = scene.network("cni")
    (said,) = scene.added["ips"]
    assert said["address"] in {f"{one['address']}/{one['prefix']}" for one in network["addresses"]}
    assert {one["gateway"] for one in network["routes"] if one["destination"] == "default"} == {said["gateway"]}
    links = {one["name"]: one for one in scene.added["interfaces"]}
    assert scene.link(scene.names["cni"], "eth0")["mac"] == links.pop("eth0")["mac"]
    assert scene.link(scene.names["cni"], "eth0")["mtu"] == 1450
    for name, link in links.items():
        assert scene.link(scene.host, name)["mac"] == link["mac"]


def test_a_port_of_portmap_leads_to_the_container(scene: Scene) -> None:
    address = scene.added["ips"][0]["address"].partition("/")[0]
    found = [one for one in scene.facts["networks"][scene.host]["published"] if one["host_port"] == 19090]
    assert {(one["protocol"], one["container"], one["address"], one["port"]) for one in found} == {
        ("tcp", scene.container("cni")["id"], address, 90)}


def test_the_network_of_lxc_is_as_told(scene: Scene) -> None:
    network = scene.network("lxc")
    assert (scene.lxc_address, 24) in {(one["address"], one["prefix"]) for one in network["addresses"]}
    assert {one["gateway"] for one in network["routes"] if one["destination"] == "default"} == {scene.lxc_gateway}


def test_what_is_wrong_is_told_and_nothing_else(scene: Scene) -> None:
    # Nothing listens behind portmap's port, and LXC leaves resolv.conf to an image that has none.
    fails = {(one["check"], one["container"], one["object"]) for one in judge(scene.facts, "h")
             if one["status"] == "fail"}
    assert fails == {("SOC-002", scene.container("cni")["name"], "90/tcp"),
                     ("DNS-001", scene.container("lxc")["name"], "resolv.conf")}


def test_what_the_plugins_of_cni_take_back_is_gone(scene: Scene) -> None:
    veth = scene.link(scene.names["cni"], "eth0")["peer"]["name"]
    scene.delete()
    networks = scene.look()["networks"]
    assert [one["name"] for one in networks[scene.names["cni"]]["links"]] == ["lo"]
    assert veth not in {one["name"] for one in networks[scene.host]["links"]}
    assert 19090 not in {one["host_port"] for one in networks[scene.host]["published"]}
