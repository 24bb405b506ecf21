"""`llamapack template`: shows chat templates, checks them, and renders conversations with them."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packer.commands import Subparsers, print_json
from packer.io.console import Exit, note, printable, show
from runtime.errors import InputError
from runtime.formats.json_input import parse_json

if TYPE_CHECKING:
    from packer.templates.template import Conversation

_SOURCE = "name of an included template, bundle, GGUF, model card, "
_SOURCE += "tokenizer_config.json, folder of a model, or Jinja file"
_LIMIT = 64 << 20  # bytes of a conversation


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("template", help="show, check and render chat templates")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="list the included templates")
    listed.add_argument("--json", action="store_true", help="print JSON")
    listed.set_defaults(run=_list)
    show = actions.add_parser("show", help="print a template")
    check = actions.add_parser("check", help="check whether a template fits its model")
    render = actions.add_parser(
        "render", help="print the prompt that the engine makes from messages"
    )
    for action, run in ((show, _show), (check, _check), (render, _render)):
        action.add_argument("file", metavar="NAME|FILE", help=_SOURCE)
        action.add_argument("--json", action="store_true", help="print JSON")
        action.set_defaults(run=run)
    render.add_argument(
        "--messages",
        required=True,
        metavar="M.json",
        help="messages as OpenAI's API takes them, or a whole request; `-` is stdin",
    )
    render.add_argument(
        "--tools", metavar="T.json", help="tools as OpenAI's API takes them; `-` is stdin"
    )
    render.add_argument(
        "--no-generation-prompt", action="store_true", help="leave out the beginning of the answer"
    )
    render.add_argument(
        "--chat-template-kwargs",
        metavar="JSON",
        default="{}",
        help="variables for the template, as in a request's `chat_template_kwargs`",
    )
    render.add_argument("--bos-token", metavar="TEXT", help="token to use instead of the model's")
    render.add_argument("--eos-token", metavar="TEXT", help="token to use instead of the model's")


def _list(args: argparse.Namespace) -> None:
    from packer.templates.origin import names

    print(json.dumps(names()) if args.json else "\n".join(names()))


def _show(args: argparse.Namespace) -> None:
    from packer.templates.origin import chat_template

    found = chat_template(args.file)
    if not args.json:
        show(found.in_one())
        return
    facts = {
        "bos_token": found.bos,
        "chat_template": found.text,
        "chat_template_for_tools": found.tool_use,
        "eos_token": found.eos,
    }
    print_json(facts)


def _check(args: argparse.Namespace) -> None:
    from packer.templates.origin import any_template
    from packer.templates.problems import problems
    from packer.templates.template import find_engine

    found = problems(any_template(args.file))
    if find_engine() is None:
        note("no engine runs here, so only the syntax of the template was checked")
    if args.json:
        print_json({"file": args.file, "problems": found})
    else:
        for problem in found:
            print(printable(f"{args.file}: {problem}"))
    if found:
        raise Exit(1)
    if not args.json:
        print(f"{args.file}: its chat template is fine")


def _render(args: argparse.Namespace) -> None:
    from packer.templates.origin import chat_template
    from packer.templates.template import RenderError

    conversation = _conversation(args)
    found = chat_template(args.file)
    if args.bos_token is not None:
        found = replace(found, bos=args.bos_token)
    if args.eos_token is not None:
        found = replace(found, eos=args.eos_token)
    (prompt,) = found.prompts([conversation])
    if isinstance(prompt, RenderError):
        raise InputError(
            f"{args.file} does not render {args.messages}: {prompt}",
            "Change the messages, or use another template.",
        )
    if args.json:
        print_json({"apply_template": found.applied(prompt), "prompt": prompt})
    else:
        show(prompt)


def _conversation(args: argparse.Namespace) -> Conversation:
    from packer.templates.template import Conversation

    request = _json(args.messages)
    if not isinstance(request, dict):
        request = {"messages": request}
    tools = _json(args.tools) if args.tools else request.get("tools") or []
    for name, value in (("messages", request.get("messages")), ("tools", tools)):
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise InputError(
                f"{(args.tools if name == 'tools' else None) or args.messages} does not contain a "
                f"list of {name}",
                'Give JSON such as `[{"role": "user", "content": "Hi"}]`.',
            )
    try:
        variables = parse_json(args.chat_template_kwargs)
        json.dumps(variables, ensure_ascii=False).encode()
    except ValueError:
        variables = None
    if not isinstance(variables, dict):
        raise InputError(
            "`--chat-template-kwargs` is not a JSON object",
            'Give one: `{"enable_thinking": false}`.',
        )
    return Conversation(request["messages"], tools, not args.no_generation_prompt, variables)


def _json(word: str) -> Any:
    """The contents of a JSON file, or of stdin."""
    if word == "-":
        data = sys.stdin.buffer.read(_LIMIT)
    else:
        path = Path(word)
        if not path.exists() or path.is_dir():
            raise InputError(f"{word} is not a file of messages or tools", "Name a JSON file.")
        # A shell's `<(…)` is a pipe.
        with path.open("rb") as file:
            data = file.read(_LIMIT)
    try:
        found = parse_json(data)
        json.dumps(found, ensure_ascii=False).encode()  # JSON can spell half of a surrogate pair
        return found
    except ValueError:
        raise InputError(f"{word} is not JSON", "Give a JSON file in UTF-8.") from None
