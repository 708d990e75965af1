# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State that is cut off, wrong, endless, or written by the container: never an exception, never a wait, only data."""

from __future__ import annotations

import json
import os
import shutil
import string
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorded.databases import BOLT_STATE, META, unpacked
from recorded.engines import (
    OWN,
    conmon,
    containerd_task,
    cri_annotations,
    crun_status,
    docker,
    docker_config,
    dockerd,
    identity,
    podman,
    runc_state,
)
from recorded.host import Host, hybrid, unified

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.reader import FileReader
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Container

CONTAINERS = 9
UNPRINTABLE = "we\x1b[2Jb\n\r\t\0\u202e\ud800end"
SLOW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def everything(host: Host) -> None:
    """One container of each engine."""
    dockerd(host)
    docker(host, "docker", 500, Labels={"a": "b"})
    podman(host, "podman", 520)
    host.file("/var/lib/containers/storage/libpod/bolt_state.db", unpacked(BOLT_STATE))
    host.file("/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", unpacked(META))
    containerd_task(host, "nsfleet", "from-image", 540, hybrid("/nsfleet/from-image"))
    cri = identity("cri")
    containerd_task(host, "k8s.io", cri, 560, unified(f"/kubepods/cri-containerd-{cri}.scope"), cri_annotations("container"))
    crio = identity("crio")
    host.file(f"{conmon(host, 579, 'crio', crio, podman=False)}/config.json", {"annotations": {"io.kubernetes.pod.name": "x"}})
    runc_state(host, "/run/runc", crio, 580)
    host.process(580, 579, cgroup=unified(f"/kubepods/crio-{crio}.scope"), own=host.namespaces(*OWN))
    host.process(599, 1, "lxc-start", arguments=["[lxc monitor] /var/lib/lxc lxc"])
    host.file("/var/lib/lxc/lxc/config", "lxc.init.uid = 3\nlxc.init.gid = 4\n")
    host.process(600, 599, cgroup=hybrid("/lxc.payload.lxc"), own=host.namespaces(*OWN))
    host.file("/run/systemd/machines/nspawn", "NAME=nspawn\nCLASS=container\nLEADER=620\n")
    host.process(620, 1, cgroup=unified("/machine.slice/machine-nspawn.scope/payload"), own=host.namespaces(*OWN))
    runc_state(host, "/run/runc", "runc", 640, bundle="/srv/runc")
    host.file("/srv/runc/config.json", {"process": {"user": {"uid": 1, "gid": 2}}, "annotations": {"a": "b"}})
    host.process(640, 1, cgroup=hybrid("/runc"), own=host.namespaces(*OWN))
    crun_status(host, "/run/crun", "crun", 660)
    host.process(660, 1, cgroup=hybrid("/crun"), own=host.namespaces(*OWN))


@pytest.fixture(scope="module")
def all_engines() -> Iterator[Host]:
    folder = Path(tempfile.mkdtemp(prefix="recorded-"))
    try:
        host = Host(folder)
        everything(host)
        yield host
    finally:
        shutil.rmtree(folder)


def state_files(host: Host) -> list[Path]:
    """All but /proc, in an order that does not change."""
    found = [path for path in host.root.rglob("*") if path.is_file() and not path.is_symlink()]
    return sorted(path for path in found if path.relative_to(host.root).parts[0] != "proc")


@contextmanager
def replaced(path: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """The file with another content for a while."""
    before = path.read_bytes()
    path.write_bytes(change(before))
    try:
        yield
    finally:
        path.write_bytes(before)


def check(found: list[Container]) -> None:
    """What holds for every result: it is text that prints, it is bounded, and it is JSON."""
    for entry in found:
        told = entry.as_dict(labels=True)
        json.dumps(told).encode("utf-8")
        for text in strings(told):
            assert text.isprintable(), repr(text)
            assert len(text) <= 4096
        assert 0 < len(entry.name) <= 255
        assert entry.image is None or len(entry.image) <= 512
        assert len(entry.labels) <= 64


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(inner)


def test_whole_each_engine_tells_its_container(all_engines: Host) -> None:
    found = all_engines.containers()
    check(found)
    assert [entry.engine for entry in found] == [
        "containerd", "cri", "crio", "crun", "docker", "lxc", "nspawn", "podman", "runc"]
    assert all_engines.problems.complete


@SLOW
@given(st.data())
def test_a_file_cut_anywhere(all_engines: Host, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(state_files(all_engines)))
    size = data.draw(st.integers(0, path.stat().st_size))
    with replaced(path, lambda content: content[:size]):
        found = all_engines.containers()
    check(found)
    assert len(found) == CONTAINERS


@SLOW
@given(st.data())
def test_json_that_is_cut_off_is_a_problem_or_changes_nothing(all_engines: Host, data: st.DataObject) -> None:
    whole = [entry.as_dict(labels=True) for entry in all_engines.containers()]
    files = [path for path in state_files(all_engines) if path.read_bytes()[:1] in (b"{", b"[")]
    path = data.draw(st.sampled_from(files))
    size = data.draw(st.integers(0, path.stat().st_size - 1))
    with replaced(path, lambda content: content[:size]):
        found = [entry.as_dict(labels=True) for entry in all_engines.containers()]
    assert found == whole or not all_engines.problems.complete


@SLOW
@given(st.data())
def test_a_file_of_any_bytes(all_engines: Host, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(state_files(all_engines)))
    with replaced(path, lambda content: data.draw(st.binary(max_size=200))):
        found = all_engines.containers()
    check(found)
    assert len(found) == CONTAINERS


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def mutated(value: Any, draw: Callable[[Any], Any]) -> Any:
    """Data with some values, at any depth, of another kind."""
    if draw(st.integers(0, 5)) == 0:
        return draw(VALUES)
    if isinstance(value, dict):
        return {key: mutated(inner, draw) for key, inner in value.items()}
    if isinstance(value, list):
        return [mutated(inner, draw) for inner in value]
    return value


@SLOW
@given(st.data())
def test_json_of_any_other_shape(all_engines: Host, data: st.DataObject) -> None:
    files = [path for path in state_files(all_engines) if path.read_bytes()[:1] in (b"{", b"[")]
    path = data.draw(st.sampled_from(files))

    def change(content: bytes) -> bytes:
        return json.dumps(mutated(json.loads(content), data.draw)).encode()

    with replaced(path, change):
        found = all_engines.containers()
    check(found)
    assert len(found) == CONTAINERS


@pytest.mark.parametrize("name", ["config.v2.json", "containers.json", "config.json", "state.json", "status"])
def test_json_that_is_too_deep(all_engines: Host, name: str) -> None:
    for path in [path for path in state_files(all_engines) if path.name == name]:
        with replaced(path, lambda content: b"[" * 100000):
            check(all_engines.containers())


LINE = st.text(alphabet=string.ascii_letters + "/:.-_\\x0123456789\x1b\n %{}[]=,", max_size=300)


@SLOW
@given(st.lists(LINE, min_size=1, max_size=6), st.lists(LINE, max_size=6), st.sampled_from(
    ["conmon", "containerd-shim", "dockerd", "lxc-start", "systemd-nspawn", "runc", "a) (b", "\n", "\x1b[2J"]))
def test_cgroups_and_command_lines_of_any_text(lines: list[str], words: list[str], comm: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        host = Host(Path(folder))
        host.process(10, 1, comm, "0::/\n", arguments=[word.replace("\0", "") for word in words])
        host.process(11, 10, comm, "".join(f"{number}:{line}\n" for number, line in enumerate(lines)),
                     host.namespaces("pid", "mnt"))
        found = host.containers()
    check(found)
    assert [entry.pid for entry in found] in ([11], [])


PATHS = st.lists(st.sampled_from(
    ["docker", "a" * 64, f"docker-{'b' * 64}.scope", "lxc", "lxc.payload.x", "..", "", "system.slice", "x.service",
     f"libpod-{'c' * 64}.scope", "machine-x.scope", "kubepods", "pod" + "d" * 32, f"crio-{'e' * 64}"]), max_size=6)


@SLOW
@given(st.lists(PATHS, min_size=1, max_size=5))
def test_any_nesting_of_telling_paths_puts_a_process_into_one_container(paths: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        host = Host(Path(folder))
        for number, parts in enumerate(paths):
            host.process(10 + number, 1 if number == 0 else 9 + number, cgroup=unified("/" + "/".join(parts)),
                         own=host.namespaces("pid", "mnt"))
        found = host.containers()
    check(found)
    members = [pid for entry in found for pid in entry.members]
    assert len(members) == len(set(members))


def test_what_does_not_print_is_replaced(host: Host) -> None:
    docker(host, Image=UNPRINTABLE, User=UNPRINTABLE, Labels={UNPRINTABLE: UNPRINTABLE})
    config = docker_config(UNPRINTABLE, "web", 500, Image=UNPRINTABLE, User=UNPRINTABLE, Labels={UNPRINTABLE: UNPRINTABLE})
    host.file(f"/var/lib/docker/containers/{identity('web')}/config.v2.json", config)
    found = host.container()
    check([found])
    assert found.name == found.image == found.user == "we\ufffd[2Jb" + "\ufffd" * 6 + "end"
    assert found.labels == {found.name: found.name}


def test_a_cgroup_s_name_that_does_not_print_is_replaced(host: Host) -> None:
    host.process(500, 1, cgroup="0::/lxc.payload.we\x1b[2Jb\udcff\n", own=host.namespaces("pid"))
    found = host.container()
    check([found])
    assert (found.id, found.name) == ("we\ufffd[2Jb\ufffd", "we\ufffd[2Jb\ufffd")


def test_a_comm_that_does_not_print_is_replaced(host: Host) -> None:
    host.process(500, 1, "a\x1b[2J)\n(", own=host.namespaces("pid"))
    check(host.containers())


def test_what_is_too_long_is_cut(host: Host) -> None:
    docker(host, Image="i" * 10000, Labels={f"{number:05}" + "k" * 1000: "v" * 10000 for number in range(300)})
    host.file(f"/var/lib/docker/containers/{identity('web')}/config.v2.json",
              docker_config("n" * 10000, "web", 500, Image="i" * 10000,
                            Labels={f"{number:05}" + "k" * 1000: "v" * 10000 for number in range(300)}))
    found = host.container()
    assert (len(found.name), len(found.image or ""), len(found.labels)) == (255, 512, 64)
    assert {(len(key), len(value)) for key, value in found.labels.items()} == {(255, 1024)}


@pytest.mark.parametrize("kind", ["fifo", "folder", "loop", "endless", "device"])
def test_files_of_another_kind_are_not_waited_for(host: Host, kind: str) -> None:
    docker(host)
    for path in state_files(host):
        path.unlink()
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        elif kind == "loop":
            path.symlink_to(path)
        elif kind == "device":
            path.symlink_to("/dev/zero")
        else:
            path.touch()
            os.truncate(path, 1 << 40)
    before = time.monotonic()
    found = host.container()
    assert time.monotonic() - before < 5
    assert (found.engine, found.name, host.problems.complete) == ("docker", identity("web")[:12], False)


def test_a_stuck_file_system_costs_its_time_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        docker(host, f"web{number}", 500 + 10 * number)
    asked = []
    read = FileReader.read

    def stuck(self: FileReader, path: str, limit: int = 4 << 20, owner: int | None = None) -> bytes:
        if path.startswith("/var/lib/docker/"):
            asked.append(path)
            raise TimeoutError(110, "no answer", path)
        return read(self, path, limit, owner)

    monkeypatch.setattr(FileReader, "read", stuck)
    found = host.containers()
    assert (len(found), len(asked)) == (5, 1)
    assert host.told() == {(f"state of docker {entry.id[:12]}", "timed out") for entry in found}


def test_every_process_of_this_machine(tmp_path: Path) -> None:
    from ansible_collections.nsfleet.linux.plugins.module_utils._engines import attribute
    from ansible_collections.nsfleet.linux.plugins.module_utils._engines.view import View
    from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
    from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Problems, Process

    proc, processes = Proc(), {}
    for pid in proc.pids():
        try:
            stat, names = proc.stat(pid), proc.namespaces(pid)[0]
            processes[pid] = Process(pid, stat.ppid, stat.start_time, stat.comm, stat.state, stat.threads,
                                     bool(stat.flags & 0x200000), names[:8], proc.cgroup_text(pid))
        except OSError:
            continue
    with FileReader() as files:
        view = View(processes, proc, files, processes[os.getpid()].namespaces, {}, Problems())
        check(attribute.containers(view))
