"""Model cards as they were written before GGUF files had chat templates."""

from __future__ import annotations

GEMMA_CARD = """\
---
license: other
license_link: LICENSE
library_name: transformers
base_model: google/gemma-2-2b-it
prompt_template: |
  <start_of_turn>system
  {{prompt}}<end_of_turn>
  {{history}}
  <start_of_turn>{{char}}
history_template: |
  <start_of_turn>{{name}}
  {{message}}<end_of_turn>
tags:
- llamafile
- conversational
---

# Gemma v2 2b Instruct - llamafile
"""
"""As Mozilla's card of Gemma 2 2B has it."""
