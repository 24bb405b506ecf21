"""What tests of publishing do with it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

Publish = Callable[..., subprocess.CompletedProcess[str]]
"""`llamapack publish` of the small bundle, with further words."""
