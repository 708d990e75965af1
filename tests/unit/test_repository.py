# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the repository that no other tool holds (test_layers.py has those about imports)."""

from __future__ import annotations

import ast
import os
import pathlib
import subprocess
import sys
import tarfile

import pytest
import yaml

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
LINK = CHECKOUT / ".collections/ansible_collections/nsfleet/linux"

#: What a user of the collection gets.
SHIPPED = {
    *{"FILES.json", "MANIFEST.json", "README.md", "CHANGELOG.md", "COPYING", "LICENSES"},
    *{"changelogs", "docs", "meta", "playbooks", "plugins", "roles"},
}


def sources(*folders: str) -> list[pathlib.Path]:
    return sorted(path for folder in folders for path in (CHECKOUT / folder).rglob("*.py"))


#: Plugins as Ansible knows them. module_utils travel with every task: REUSE.toml says their licence.
PLUGINS = [path for path in sources("plugins") if "module_utils" not in path.parts]


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_a_plugin_says_its_licence(path: pathlib.Path) -> None:
    head = path.read_text()[:400]
    assert "GNU General Public License v3.0+" in head
    assert "License-Identifier: GPL-3.0-or-later" in head


@pytest.mark.parametrize("path", sources("plugins"), ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_annotations_are_not_evaluated(path: pathlib.Path) -> None:
    """Python 3.8 could not evaluate some of them."""
    assert "\nfrom __future__ import annotations\n" in path.read_text()


@pytest.mark.parametrize("path", sources("plugins/action"), ids=lambda path: path.name)
def test_an_action_plugin_says_all_itself(path: pathlib.Path) -> None:
    """ansible-core 2.19 adds the words of a cause to what is raised: they would be said twice."""
    raised = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Raise) and node.cause]
    assert [node.lineno for node in raised if not (isinstance(node.cause, ast.Constant) and node.cause.value is None)] == []


def test_packages_need_no_init_files() -> None:
    assert list((CHECKOUT / "plugins").rglob("__init__.py")) == []


def test_the_link_leads_to_this_folder() -> None:
    assert not os.path.isabs(os.readlink(LINK))
    assert (LINK / "galaxy.yml").samefile(CHECKOUT / "galaxy.yml")


def test_every_module_is_in_the_action_group() -> None:
    runtime = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())
    modules = sorted(path.stem for path in (CHECKOUT / "plugins/modules").glob("*.py"))
    assert sorted(runtime["action_groups"]["namespaces"]) == modules


def test_there_are_no_exceptions_from_ansible_test() -> None:
    assert list((CHECKOUT / "tests/sanity").glob("ignore*")) == []


def test_nothing_has_to_be_fetched_from_galaxy() -> None:
    assert yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())["dependencies"] == {}
    assert list(CHECKOUT.glob("**/requirements.yml")) == []


def test_the_artifact_holds_what_users_need_and_no_more(tmp_path: pathlib.Path) -> None:
    galaxy = pathlib.Path(sys.executable).with_name("ansible-galaxy")
    build = [str(galaxy), "collection", "build", "--output-path", str(tmp_path)]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True, timeout=120)
    (artifact,) = tmp_path.glob("nsfleet-linux-*.tar.gz")
    with tarfile.open(artifact) as archive:
        names = archive.getnames()
    shipped = {name.partition("/")[0] for name in names}
    assert shipped >= SHIPPED
    # What somebody keeps in their clone and git does not know is their own business.
    git = ["git", "-c", f"safe.directory={CHECKOUT}", "ls-files"]
    known = subprocess.run(git, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout.splitlines()
    assert shipped & {name.partition("/")[0] for name in known} <= SHIPPED
    assert [name for name in names if name.endswith(".pyc") or "__pycache__" in name or "/." in name] == []


def test_every_folder_of_tests_is_run() -> None:
    """Tests in a folder that scripts/test does not name would be green for ever."""
    script = (CHECKOUT / "scripts/test").read_text()
    folders = {path.relative_to(CHECKOUT / "tests").parts[0] for path in (CHECKOUT / "tests").glob("*/**/test_*.py")}
    assert {folder for folder in folders if f"pytest tests/{folder}" not in script} == set()
