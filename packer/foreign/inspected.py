"""What `inspect` says of the program in a file that llamapack did not make."""

from __future__ import annotations

from typing import Any

from packer.ape.anatomy import take_apart
from packer.ape.description import parts
from packer.foreign.version import program_version
from runtime.bundle import Bundle


def runtime_facts(bundle: Bundle) -> dict[str, Any]:
    """The program's parts as JSON values, and its `version` where it says so."""
    version = program_version(bundle.path, bundle.members.values(), bundle.size)
    return {**parts(take_apart(bundle.path)), "version": version}
