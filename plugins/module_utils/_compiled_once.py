"""Has our modules compiled once where they lie in a zip, as they do on a managed host: call it before importing them.

zipimport compiles a module to tell the name of its file (zipimporter.get_filename), which every import asks for (Python
3.8 and later), throws that away, and compiles it again to execute it. Of a task of ours that was a third of the time.
"""
from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pkgutil import get_importer
from typing import Any, Optional, Sequence
from zipimport import ZipImportError, zipimporter

_OURS = "ansible_collections.nsfleet.linux.plugins.module_utils."


class _Finder:
    """Says where a module is without asking that."""

    @staticmethod
    def find_spec(name: str, path: Optional[Sequence[str]] = None, dummy: Any = None) -> Optional[ModuleSpec]:
        if not name.startswith(_OURS):
            return None
        for folder in path or ():
            importer = get_importer(folder)
            if not isinstance(importer, zipimporter):
                continue
            try:
                package = importer.is_package(name)
            except ZipImportError:
                continue
            place = "%s/%s" % (folder, name.rpartition(".")[2])
            origin = place + ("/__init__.py" if package else ".py")
            loader: Any = importer  # typeshed does not know it as one
            spec = ModuleSpec(name, loader, origin=origin, is_package=package)
            spec.has_location = True
            if spec.submodule_search_locations is not None:
                spec.submodule_search_locations.append(place)
            return spec
        return None


def compile_once() -> None:
    """From now on."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
