"""The files of a repository that state its licence."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAME = re.compile(r"(LICEN[CS]E|NOTICE|USE[ _-]?POLICY).*", re.IGNORECASE)


def license_files(files: Iterable[str]) -> list[str]:
    """The licence files at its top level, sorted: LICENSE, NOTICE, USE_POLICY."""
    return sorted(file for file in files if _NAME.fullmatch(file) and "/" not in file)
