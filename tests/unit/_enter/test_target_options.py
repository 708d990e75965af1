# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target options: what is documented is what modules take."""

from __future__ import annotations

import yaml

from ansible_collections.nsfleet.linux.plugins.doc_fragments._target import ModuleDocFragment
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.options import (
    SELECTORS,
    TARGET_REQUIRED_BY,
    target_options,
)

DOCUMENTED = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]


def test_the_documentation_and_the_argument_spec_say_the_same() -> None:
    documented = {
        name: {key: value for key, value in option.items() if key != "description"}
        for name, option in DOCUMENTED.items()
    }
    assert documented == target_options()


def test_every_selector_is_an_option_without_a_default() -> None:
    options = target_options()
    assert all("default" not in options[name] and not options[name].get("required") for name in SELECTORS)
    assert set(TARGET_REQUIRED_BY) == set(options) - set(SELECTORS) - {"namespaces", "allow_host"}


def test_each_spec_is_one_of_its_own() -> None:
    # AnsibleModule writes into what it is given.
    assert target_options() is not target_options()
    assert target_options()["namespaces"]["default"] is not target_options()["namespaces"]["default"]
