# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Truth about change, in real containers: what was changed is told, what was looked at is not, and guards only look."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, NamedTuple, Union

import pytest
from rig import exec as ns_exec
from rig.docker import Docker
from rig.podman import Podman
from rig.programs import program
from rig.supervisor import Supervisor

# A bridge: the one link that any container can be given here. RFC 5737 addresses, RFC 7042 mac.
LINK, MAC = "nsftb0", "00:00:5e:00:53:01"
# Writes a log and forks ten times a second.
NOISE = "while :; do busybox date >>/var/log.txt; busybox usleep 100000; done"
MAY = ["--cap-add", "NET_ADMIN", "--cap-add", "SYS_ADMIN", "--volume", "/data"]


class Row(NamedTuple):
    """A command that makes a state what it should be, whether it is so or not, and what the diff says of the first."""

    namespaces: list[str]
    line: str
    told: str


# With the host's tools.
NET, UTS, IPC = ["net"], ["uts"], ["ipc"]
HOST = {
    "address": Row(NET, f"ip address replace 192.0.2.1/24 dev {LINK}", f"address 192.0.2.1/24 dev {LINK}"),
    "route": Row(NET, "ip route replace 198.51.100.0/24 dev lo", "route 198.51.100.0/24 dev lo"),
    "rule": Row(NET, "ip rule show | grep -q 203.0.113.1 || ip rule add from 203.0.113.1 table 100",
                "from 203.0.113.1/32 lookup 100"),
    "static neighbour": Row(NET, f"ip neighbour replace 192.0.2.7 lladdr {MAC} dev {LINK}",
                            f"neighbour 192.0.2.7 lladdr {MAC} dev {LINK} permanent"),
    "nft rule": Row(NET, "nft list table inet t || nft 'table inet t { chain c { tcp dport 22 drop; }; }'",
                    "nft rule inet t c: tcp dport 22 drop"),
    "legacy iptables rule": Row(NET, "iptables-legacy -C INPUT -p tcp --dport 23 -j DROP || "
                                "iptables-legacy -A INPUT -p tcp --dport 23 -j DROP",
                                "iptables filter INPUT: -p tcp -m tcp --dport 23 -j DROP"),
    "sysctl": Row(NET, "sysctl -w net.ipv4.ip_default_ttl=61", "sysctl net.ipv4.ip_default_ttl = 61"),
    "mtu": Row(NET, f"ip link set {LINK} mtu 1400", f"link {LINK} mtu 1400"),
    "link": Row(NET, "ip link show v0 || ip link add v0 type veth peer name v1", "link v0 type veth"),
    "link state": Row(NET, f"ip link set {LINK} up", f"link {LINK} state"),
    "hostname": Row(UTS, "hostname other", "hostname other"),
    "shm": Row(IPC, "ipcs -m | grep -q ' 4097 ' || ipcmk -M 4097", "size 4097"),
    "semaphore": Row(IPC, "ipcs -s | grep -q ' 3 *$' || ipcmk -S 3", "semaphores 0x"),
    "queue": Row(IPC, "ipcs -q | grep -q 0x || ipcmk -Q", "queue 0x"),
    "process left running": Row(["pid"], "n=59; ps ax | grep -q 'sleep 59[9]' || sleep ${n}9 >/dev/null 2>&1 &",
                                " sleep"),
}
# With the container's own busybox, with its rights.
ALL = ["all"]
INSIDE = {
    "address": Row(ALL, f"busybox ip address show {LINK} | busybox grep -q 192.0.2.2 || "
                        f"busybox ip address add 192.0.2.2/24 dev {LINK}", f"address 192.0.2.2/24 dev {LINK}"),
    "route": Row(ALL, "busybox ip route replace 198.51.101.0/24 dev lo", "route 198.51.101.0/24 dev lo"),
    "rule": Row(ALL, "busybox ip rule show | busybox grep -q 203.0.113.2 || "
                     "busybox ip rule add from 203.0.113.2 table 100", "from 203.0.113.2/32 lookup 100"),
    "static neighbour": Row(ALL, f"busybox arp -i {LINK} -s 192.0.2.8 {MAC}",
                            f"neighbour 192.0.2.8 lladdr {MAC} dev {LINK} permanent"),
    "mtu": Row(ALL, f"busybox ip link set {LINK} mtu 1300", f"link {LINK} mtu 1300"),
    "hostname": Row(ALL, "busybox hostname within", "hostname within"),
    "mount": Row(ALL, "busybox grep -q ' /root ' /proc/mounts || mount -t tmpfs none /root", "mount /root: tmpfs none"),
    "file in the writable layer": Row(ALL, "[ -e /etc/made ] || echo made >/etc/made", "file /etc/made"),
    "file in a volume": Row(ALL, "[ -e /data/made ] || echo made >/data/made", "file /data/made"),
    "file in /dev/shm": Row(ALL, "[ -e /dev/shm/made ] || echo made >/dev/shm/made", "file /dev/shm/made"),
    "folder": Row(ALL, "busybox mkdir -p /etc/folder", "/etc/folder"),
    "mode": Row(ALL, "[ `busybox stat -c %a /etc/group` = 600 ] || busybox chmod 600 /etc/group", "file /etc/group"),
    "posix queue": Row(ALL, "[ -e /dev/mqueue/q ] || : >/dev/mqueue/q", "mqueue /q "),
    "process left running": Row(ALL, "n=59; busybox ps | busybox grep -q 'sleep 59[8]' || "
                                     "sleep ${n}8 >/dev/null 2>&1 &", " sleep"),
}
LOOKS_OF_HOST = [
    "ss -ntlp", "ip -statistics address", "ip route show table all", "nft list ruleset", "iptables-legacy-save",
    "iptables-nft-save", "sysctl -a -r ^net", "tc qdisc", "cat /proc/net/dev",
]
LOOKS_INSIDE = [
    "cat /etc/passwd", "ls -lR /etc", "busybox ps", "busybox ip address", "busybox netstat -ant", "id", "busybox df",
    "busybox tail -n 1 /var/log.txt", "busybox find / -xdev", "busybox hostname", "mount", "busybox env",
]


class Container(NamedTuple):
    engine: str
    name: str
    pid: int

    def exec(self, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        return ns_exec.run(check_mode, container=f"{self.engine}:{self.name}", **options)

    def done(self, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        """The same for what must not fail."""
        result = self.exec(check_mode, **options)
        assert not result.get("failed"), result
        return result


@pytest.fixture(scope="module")
def docker(supervisor: Supervisor, archive: Path) -> Iterator[Docker]:
    engine = Docker(supervisor, supervisor.root / "docker-change", archive, None)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def podman(supervisor: Supervisor, archive: Path) -> Iterator[Podman]:
    engine = Podman(supervisor, supervisor.root / "podman-change", archive)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module", params=["docker", "podman"])
def engine(request: pytest.FixtureRequest) -> Union[Docker, Podman]:
    found: Union[Docker, Podman] = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def web(engine: Union[Docker, Podman], supervisor: Supervisor) -> Container:
    """May change its network, name and mounts."""
    return made(engine, supervisor, "web", MAY)


@pytest.fixture(scope="module")
def noisy(engine: Union[Docker, Podman], supervisor: Supervisor) -> Container:
    return made(engine, supervisor, "noisy", [], "/bin/sh", "-c", NOISE)


@pytest.fixture
def own(docker: Docker, supervisor: Supervisor) -> Iterator[Container]:
    """One for a test alone, to do damage to."""
    container = made(docker, supervisor, "own", MAY)
    yield container
    docker("rm", "--force", "--volumes", container.name)


def made(
    engine: Union[Docker, Podman], supervisor: Supervisor, name: str, options: list[str],
    *command: str,
) -> Container:
    full = f"{supervisor.token}-{name}"
    engine("run", "--detach", "--name", full, "--network", "none", *options, engine.image,
           *(command or ("/bin/sleep", "600")))
    pid = engine.inspect(full)[0]["State"]["Pid"]
    supervisor.run(program("nsenter", "util-linux"), f"--net=/proc/{pid}/ns/net", program("ip", "iproute2"), "link",
                   "add", LINK, "type", "bridge")
    return Container(type(engine).__name__.lower(), full, pid)


@pytest.mark.parametrize("what", HOST)
def test_what_the_host_s_tools_change_is_told_once(web: Container, what: str) -> None:
    is_told_once(web, HOST[what])


@pytest.mark.parametrize("what", INSIDE)
def test_what_the_container_s_busybox_changes_is_told_once(web: Container, what: str) -> None:
    is_told_once(web, INSIDE[what])


def is_told_once(web: Container, row: Row) -> None:
    # What was left running with the host's rights may trace: C(trusted) is for the second time.
    options: dict[str, Any] = {"namespaces": row.namespaces, "cmd": row.line, "shell": True, "trusted": True}
    first = web.done(**options)
    assert first["changed"] and not first["unproven"], first
    assert row.told in first["diff"]["after"], first
    again = web.done(**options)
    assert not again["changed"] and not again["unproven"], again
    assert again["diff"] == {"before": "", "after": ""}


def test_what_is_taken_away_is_told_as_before(web: Container) -> None:
    web.done(namespaces=NET, cmd="ip route replace 198.51.102.0/24 dev lo")
    result = web.done(namespaces=NET, cmd="ip route delete 198.51.102.0/24 dev lo")
    assert result["changed"] and not result["diff"]["after"]
    assert result["diff"]["before"].startswith("route 198.51.102.0/24 dev lo")


def test_a_file_that_is_removed_is_told_as_before(web: Container) -> None:
    web.done(cmd="busybox touch /etc/brief")
    result = web.done(cmd="busybox rm /etc/brief")
    assert (result["changed"], result["diff"]) == (True, {"before": "file /etc/brief\n", "after": ""})


def test_a_file_that_was_made_and_removed_by_the_command_is_no_change(web: Container) -> None:
    result = web.done(shell=True, cmd="echo x >/etc/passing && busybox rm /etc/passing")
    assert not result["changed"] and not result["unproven"], result


def test_a_command_that_fails_midway_reports_what_it_has_done(web: Container) -> None:
    result = web.exec(namespaces=NET, shell=True, cmd="ip route replace 198.51.103.0/24 dev lo; exit 3")
    assert (result["failed"], result["rc"], result["changed"]) == (True, 3, True)
    assert "198.51.103.0/24" in result["diff"]["after"]


def test_a_command_that_is_killed_reports_what_it_has_done(web: Container) -> None:
    result = web.exec(namespaces=NET, shell=True, cmd="ip route replace 198.51.104.0/24 dev lo; sleep 60", timeout=1)
    assert result["failed"] and result["changed"]
    assert "198.51.104.0/24" in result["diff"]["after"]


@pytest.mark.parametrize("line", LOOKS_OF_HOST)
def test_a_look_with_the_host_s_tools_at_a_container_that_is_busy_changes_nothing(noisy: Container, line: str) -> None:
    result = noisy.done(namespaces=NET, cmd=line)
    assert not result["changed"] and not result["unproven"], result


@pytest.mark.parametrize("line", LOOKS_INSIDE)
def test_a_look_in_a_container_that_writes_and_forks_changes_nothing(noisy: Container, line: str) -> None:
    for dummy in range(2):
        result = noisy.done(cmd=line)
        assert result["stdout"]
        assert not result["changed"] and not result["unproven"], result


def test_a_long_look_in_a_container_that_writes_and_forks_changes_nothing(noisy: Container) -> None:
    before = (Path(f"/proc/{noisy.pid}/root/var/log.txt")).stat().st_size
    line = "for i in 1 2 3 4 5 6; do busybox cat /var/log.txt; busybox usleep 300000; done"
    result = noisy.done(shell=True, cmd=line)
    assert Path(f"/proc/{noisy.pid}/root/var/log.txt").stat().st_size > before + 100, "the container was quiet"
    assert not result["changed"] and not result["unproven"], result


def test_only_what_the_command_has_written_is_told_in_a_container_that_writes(noisy: Container) -> None:
    result = noisy.done(shell=True, cmd="busybox usleep 500000; echo x >/etc/ours; busybox usleep 500000")
    assert (result["changed"], result["diff"]) == (True, {"before": "", "after": "file /etc/ours\n"})


def test_writing_to_the_log_that_the_container_writes_to_is_told(noisy: Container) -> None:
    result = noisy.done(shell=True, cmd="echo x >>/var/log.txt")
    assert result["changed"] and result["diff"]["after"] == "file /var/log.txt, written\n", result


def test_what_a_grandchild_that_left_its_session_has_written_is_told(noisy: Container) -> None:
    line = "busybox setsid sh -c 'busybox usleep 200000; echo x >/etc/late' >/dev/null 2>&1 & busybox usleep 900000"
    result = noisy.done(shell=True, cmd=line)
    assert result["changed"] and "file /etc/late\n" in result["diff"]["after"], result


# --- what cannot be read ------------------------------------------------------------------------------------------


def test_more_routes_than_are_read_are_never_unchanged(own: Container) -> None:
    routes = "".join(f"route add 10.{a}.{b}.0/24 dev lo\n" for a in range(220) for b in range(256))
    own.exec(namespaces=NET, cmd="ip -batch -", stdin=routes)
    result = own.done(namespaces=NET, cmd="ip -o link")
    assert result["changed"] and result["unproven"], result


def test_what_is_not_tracked_is_never_unchanged(web: Container) -> None:
    result = web.done(namespaces=NET, cmd="ip -o link", track="none")
    assert result["changed"] and result["unproven"] == ["nothing was tracked"]


def test_only_the_types_that_are_tracked_are_compared(web: Container) -> None:
    result = web.done(cmd="busybox touch /etc/untracked", track=["net"])
    assert not result["changed"]


@pytest.mark.parametrize("report, changed", [("always", True), ("never", False)])
def test_report_change_has_the_last_word(web: Container, report: str, changed: bool) -> None:
    line = f"busybox touch /etc/reported-{report}"
    result = web.done(cmd=line, report_change=report)
    assert result["changed"] is changed
    assert result["diff"]["after"] == f"file /etc/reported-{report}\n"
    assert web.done(cmd="id", report_change=report)["changed"] is changed


# --- guards ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["iptables-legacy", "iptables-nft"])
def test_unless_with_iptables_leaves_one_rule(own: Container, tool: str) -> None:
    rule = "INPUT -p tcp --dport 8080 -j DROP"
    guarded: dict[str, Any] = {"namespaces": NET, "unless": f"{tool} -C {rule}", "cmd": f"{tool} -A {rule}"}
    first = own.done(**guarded)
    assert first["changed"] and "8080" in first["diff"]["after"], first
    second = own.done(**guarded)
    assert not second["changed"] and second["msg"].startswith("Skipped, since unless"), second
    saved = own.done(namespaces=NET, cmd=f"{tool}-save")["stdout"]
    assert saved.count("--dport 8080") == 1


def test_unless_without_a_rule_runs_the_command_and_with_it_does_not(own: Container) -> None:
    for expected in (True, False, False):
        result = own.done(unless="[ -e /etc/guarded ]", cmd="echo x >/etc/guarded", shell=True)
        assert result["changed"] is expected


def test_onlyif_runs_the_command_only_if(web: Container) -> None:
    assert web.done(onlyif="busybox test -e /etc/passwd", cmd="id")["rc"] == 0
    result = web.done(onlyif="busybox test -e /nowhere", cmd="id")
    assert "start" not in result and not result["changed"] and "onlyif" in result["msg"]


@pytest.mark.parametrize("guard, why", [
    ("/nowhere/program", "/nowhere/program"),
    ("busybox sh -c 'exit 2'", "ended with 2"),
    ("busybox sh -c 'kill -9 $$'", "ended with -9"),
    ("busybox sh -c 'exit 127'", "neither yes (0) nor no (1)"),
])
@pytest.mark.parametrize("option", ["unless", "onlyif"])
def test_a_guard_that_could_not_look_fails_the_task(web: Container, option: str, guard: str, why: str) -> None:
    guarded: dict[str, Any] = {option: guard}
    result = web.exec(cmd="busybox touch /etc/never", expand_argument_vars=False, **guarded)
    assert result["failed"] and result["rc"] is None and why in result["msg"], result
    assert not Path(f"/proc/{web.pid}/root/etc/never").exists()


def test_a_guard_that_takes_too_long_fails_the_task(web: Container) -> None:
    result = web.exec(unless="busybox sleep 30", cmd="id", timeout=1)
    assert result["failed"] and result["rc"] is None and "took too long" in result["msg"]


def test_a_guard_that_changes_the_network_fails_the_task(own: Container) -> None:
    result = own.exec(namespaces=NET, onlyif="ip route add 198.51.100.0/24 dev lo", cmd="ip -o link")
    assert result["failed"] and "has changed something" in result["msg"], result
    assert "198.51.100.0/24" in result["msg"] and result["rc"] is None


@pytest.mark.parametrize("guard", ["busybox touch /etc/by-guard", "busybox hostname guarded", "mount -t tmpfs n /root"])
def test_a_guard_can_change_nothing_else(own: Container, guard: str) -> None:
    before = own.done(shell=True, cmd="ls /etc; busybox hostname; mount")["stdout"]
    result = own.exec(unless=guard, cmd="id")
    assert result.get("failed") or result["rc"] == 0
    assert own.done(shell=True, cmd="ls /etc; busybox hostname; mount")["stdout"] == before


def test_a_guard_lists_nft_rules(own: Container) -> None:
    own.done(namespaces=NET, cmd="nft add table inet shown")
    result = own.done(namespaces=NET, onlyif="nft list table inet shown", cmd="ip -o link")
    assert result["rc"] == 0 and not result["changed"]


# --- check mode and diff mode ---------------------------------------------------------------------------------------


def test_check_mode_does_not_run_and_says_so(web: Container) -> None:
    result = web.done(True, cmd="busybox touch /etc/checked")
    assert not result["changed"] and result["rc"] is None and "ot run in check mode" in result["msg"]
    assert not Path(f"/proc/{web.pid}/root/etc/checked").exists()


@pytest.mark.parametrize("options, changed", [
    ({"creates": "/etc/passwd"}, False), ({"creates": "/etc/nothing"}, True), ({"removes": "/etc/nothing"}, False),
    ({"removes": "/etc/passw*"}, True), ({"unless": "busybox true"}, False), ({"unless": "busybox false"}, True),
    ({"onlyif": "busybox false"}, False), ({"onlyif": "busybox true"}, True), ({"report_change": "always"}, True),
    ({"report_change": "never"}, False),
])
def test_check_mode_says_whether_it_would_run(web: Container, options: dict[str, Any], changed: bool) -> None:
    result = web.done(True, cmd="busybox touch /etc/checked", **options)
    assert result["changed"] is changed and "start" not in result, result
    assert not Path(f"/proc/{web.pid}/root/etc/checked").exists()


def test_check_mode_runs_what_is_proved_to_change_nothing(web: Container) -> None:
    result = web.done(True, cmd="cat /etc/passwd", read_only=True)
    assert result["rc"] == 0 and result["stdout"].startswith("root:") and not result["changed"]


def test_ansible_shows_the_difference(web: Container) -> None:
    shown = ns_exec.ansible("--diff", container=f"{web.engine}:{web.name}", namespaces=NET,
                            cmd="ip route replace 198.51.105.0/24 dev lo")
    assert "+route 198.51.105.0/24 dev lo" in shown
    assert '"changed": true' in shown


def test_ansible_in_check_mode_shows_no_difference_and_makes_none(web: Container) -> None:
    shown = ns_exec.ansible("--check", "--diff", container=f"{web.engine}:{web.name}", namespaces=NET,
                            cmd="ip route replace 198.51.106.0/24 dev lo")
    assert "198.51.106.0" not in web.done(namespaces=NET, cmd="ip route")["stdout"]
    assert "+route" not in shown and "SKIPPED" in shown


def test_ansible_in_check_mode_runs_a_command_that_only_looks(web: Container) -> None:
    shown = ns_exec.run_with_ansible("--check", "--diff", container=f"{web.engine}:{web.name}", read_only=True,
                                     cmd="cat /etc/passwd")
    assert shown["rc"] == 0 and not shown["changed"]
