"""The identifiers by which the Hub knows licences, and what to say of others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

OTHER = "other"

# The Hub's documentation, page "Licenses".
_LISTED = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause
bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0
cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0
cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1
eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research
intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl openmdw-1.0
openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license
fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4
grok2-community gemma unknown other
"""
KNOWN = frozenset(_LISTED.split())


def license_fields(fields: Mapping[str, Any], file: str | None) -> dict[str, str]:
    """`license`, `license_name` and `license_link` as the Hub accepts them.

    The Hub wants a name and a link with `other`, which stands for all licences it does not list.

    Args:
        fields: what is known, by the same names.
        file: name of the licence's text in the repository, if it is there.

    Returns:
        Those fields that are known.
    """
    licenses = fields.get("license")
    if isinstance(licenses, list | tuple):  # a choice between several
        licenses = " or ".join(map(str, licenses))
    stated = str(licenses or "").strip()
    name, link = fields.get("license_name"), fields.get("license_link") or file
    if stated.lower() in KNOWN - {OTHER}:
        found = {"license": stated.lower(), "license_name": name, "license_link": link}
    elif stated or name:
        found = {"license": OTHER, "license_name": name or stated, "license_link": link}
        found["license_name"] = re.sub(r"[^a-z0-9.+-]+", "-", str(name or stated).lower()).strip(
            "-"
        )
    else:
        found = {"license_link": link}
    return {key: str(value) for key, value in found.items() if value}
