# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""One file that Python can run, of a module of module_utils and all that it imports: for hosts without Ansible.

The same sources make the same bytes, on every controller: nothing is compressed, because the libraries that do that
differ from one another in what they make of the same.
"""

from __future__ import annotations

import ast
import collections.abc
import hashlib
import io
import pathlib
import zipfile

UTILS = pathlib.Path(__file__).resolve().parents[1] / "module_utils"
# The name that the modules have in a task of Ansible too: _compiled_once.py knows it.
PACKAGE = "ansible_collections.nsfleet.linux.plugins.module_utils"
# What finds containers and what watches commands: imported in functions that nobody calls where there is neither a
# selector nor a command.
WITHOUT = (
    "_discover.processes", "_engines.attribute", "_engines.view", "_enter.changed_files", "_enter.changed_mounts",
    "_enter.match", "_enter.search", "_enter.states", "_kernel.modules",
)  # fmt: skip
_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell
_MAIN = """\
import sys
from {package}.{module} import main
sys.exit(main(sys.argv[1:], {version!r}))
"""


def program(module: str) -> bytes:
    """The file. C(module): one below module_utils (C(_at_boot)), with C(main(arguments, version)).

    C(version) is a digest of the sources, so that what a file was made of can be told.
    """
    files = sources(module)
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(b"%d %s %d\0" % (len(name), name.encode(), len(content)) + content)
    folders = {str(parent) for name in files for parent in pathlib.PurePosixPath(name).parents} - {"."}
    # zipimport knows no packages without.
    files.update((f"{folder}/__init__.py", b"") for folder in folders)
    version = f"nsfleet.linux, sources {digest.hexdigest()[:16]}"
    files["__main__.py"] = _MAIN.format(package=PACKAGE, module=module, version=version).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system = 3  # Unix, wherever it is made
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def sources(module: str) -> dict[str, bytes]:
    """The module and all that it imports, directly or not, in functions too, but WITHOUT; by the name in the file."""
    found: dict[str, bytes] = {}
    left = [tuple(module.split("."))]
    while left:
        parts = left.pop()
        name = "/".join((*PACKAGE.split("."), *parts)) + ".py"
        if name in found or ".".join(parts) in WITHOUT:
            continue
        found[name] = UTILS.joinpath(*parts).with_suffix(".py").read_bytes()
        left += _imported(ast.parse(found[name]), parts[:-1])
    return found


def _imported(node: ast.AST, package: tuple[str, ...]) -> collections.abc.Iterator[tuple[str, ...]]:
    """The modules below module_utils that a module of that package imports: all imports of them are relative."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(child, ast.ImportFrom) and child.level:
            above = package[: len(package) - child.level + 1]
            base = (*above, *child.module.split(".")) if child.module else above
            if _is_module(base):
                yield base
            else:
                yield from ((*base, alias.name) for alias in child.names)
        yield from _imported(child, package)


def _is_module(parts: tuple[str, ...]) -> bool:
    return bool(parts) and UTILS.joinpath(*parts).with_suffix(".py").is_file()
