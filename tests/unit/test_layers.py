# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/architecture.md: each layer imports only from those above it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

import pytest

UTILS = Path(__file__).parents[2] / "plugins" / "module_utils"
ORDER = ["_kernel", "_model", "_discover", "_engines", "_network", "_enter", "_create", "_audit", "_report"]
ONLY_KERNEL = {"ctypes", "fcntl"}


def modules() -> list[Path]:
    """Every file of module_utils."""
    return sorted(UTILS.rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Level and module of each import, those inside functions and TYPE_CHECKING blocks included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""
            for alias in node.names:
                yield node.level, "%s.%s" % (node.module, alias.name) if node.module else alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name


def layer_of(path: Path) -> str:
    """The layer a file belongs to; the file's own name for those that lie beside the layers."""
    return path.relative_to(UTILS).parts[0]


def test_there_are_files_to_look_at() -> None:
    assert {layer_of(path) for path in modules()} >= {"_kernel", "_model", "_discover", "_engines"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(UTILS)))
def test_imports_only_from_layers_above(path: Path) -> None:
    layer = layer_of(path)
    depth = len(path.relative_to(UTILS).parts)
    for level, module in imports(ast.parse(path.read_text())):
        assert "ansible_collections" not in module, "imports inside module_utils are relative"
        if layer in ORDER:
            assert not module.startswith("ansible."), "only a module's main() knows Ansible"
        if level < depth:
            continue
        target = module.split(".")[0]
        if layer in ORDER and target:
            assert target in ORDER, "%s lies beside the layers" % target
            assert ORDER.index(target) <= ORDER.index(layer), "%s is below %s" % (target, layer)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(UTILS)))
def test_only_the_kernel_layer_speaks_to_the_kernel(path: Path) -> None:
    used = {module.split(".")[0] for level, module in imports(ast.parse(path.read_text())) if not level}
    assert layer_of(path) == "_kernel" or not used & ONLY_KERNEL


@pytest.mark.parametrize("path", sorted((UTILS.parent / "modules").glob("*.py")), ids=lambda path: path.name)
def test_a_module_is_documentation_and_one_call(path: Path) -> None:
    tree = ast.parse(path.read_text())
    code = [node for node in tree.body if not isinstance(node, ast.Assign)]
    lines = sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in code)
    assert lines <= 60
