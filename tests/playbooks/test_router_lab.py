# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The router lab of the documentation: built by its playbook alone, built once, and taken away without a trace."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PLAYBOOK = CHECKOUT / "docs/examples/router-lab.yml"
LAB = ["lab-client", "lab-router", "lab-server"]
# A mount namespace of its own with another /run: what the playbook keeps is not kept on this machine.
PLACE = """
mount --make-rprivate / && mount -t tmpfs none /run && echo ready && exec cat
"""
Inside = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps namespaces below /run")


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """Run something where /run is another one."""
    home = tmp_path_factory.mktemp("lab")
    with subprocess.Popen(["unshare", "--mount", "sh", "-c", PLACE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as place:
        assert place.stdout is not None and place.stdout.readline() == "ready\n"

        def run(*argv: str) -> subprocess.CompletedProcess[str]:
            kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
            kept |= {"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_HOME": str(home), "ANSIBLE_NOCOLOR": "1",
                     "ANSIBLE_INVENTORY": str(CHECKOUT / "inventory/local.ini")}
            return subprocess.run(["nsenter", "--target", str(place.pid), "--mount", "--wdns=%s" % CHECKOUT, *argv],
                                  env=kept, capture_output=True, text=True, timeout=180, check=False)

        yield run
        place.kill()


def play(inside: Inside, *more: str) -> str:
    """What the playbook printed."""
    done = inside(str(pathlib.Path(sys.executable).parent / "ansible-playbook"), str(PLAYBOOK), *more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_built_once_and_taken_away(inside: Inside) -> None:
    first = play(inside)
    assert re.search(r"1 packets transmitted, 1 received", first), first
    assert "changed=0 " not in first
    assert [line.split()[0] for line in sorted(inside("ip", "netns", "list").stdout.splitlines())] == LAB
    # iproute2 sees what the playbook has built, and two hops.
    assert "via 192.0.2.1" in inside("ip", "-n", "lab-client", "route", "get", "198.51.100.2").stdout
    asked = inside("ip", "netns", "exec", "lab-client", "ping", "-c", "1", "-W", "2", "198.51.100.2")
    assert "ttl=63" in asked.stdout

    assert "changed=0 " in play(inside)
    assert "changed=0 " in play(inside, "--check", "--diff")

    assert "changed=1 " in play(inside, "-e", "lab=absent")
    assert inside("ip", "netns", "list").stdout == ""
    assert "changed=0 " in play(inside, "-e", "lab=absent")
