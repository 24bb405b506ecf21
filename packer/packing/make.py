"""What `pack` does: from its arguments to the files of a bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packer.bundle.args import Args, check_options, own_words
from packer.bundle.contents import check_bundle_name
from packer.bundle.models_ini import preset
from packer.bundle.pack import BundlePlan, pack, packed_runtime
from packer.bundle.recipe import recorded
from packer.bundle.request import PackRequest
from packer.convert.quantizer import check_imatrix, parse_quantization
from packer.convert.workshop import Workshop
from packer.engines import cache as engines
from packer.engines import front
from packer.engines.deflated import Packed, PackedEngine
from packer.engines.front import APE, ENDINGS, Front
from packer.engines.gpu import sources
from packer.engines.gpu.archive import PackedModule
from packer.engines.gpu.chosen import chosen
from packer.engines.gpu.sources import AUTO
from packer.engines.targets import for_this_machine
from packer.io.console import note, progress
from packer.io.copy import Destination
from packer.io.epoch import source_date_epoch
from packer.io.output import output_file, terminable
from packer.io.output_place import OutputPlace, output_place
from packer.metadata.model_metadata import ModelMetadata, read_metadata
from packer.packing.loading import check_models
from packer.packing.plans import planned, report
from packer.parts.splitting import part_files
from packer.recipes.read import completed
from packer.releases import PINNED
from packer.templates.legacy import card_template
from packer.templates.origin import load
from packer.templates.problems import warn_of_problems
from packer.weights.archives import named_member
from packer.weights.documents import extra_files, small_file
from packer.weights.inputs import bundle_stem
from packer.weights.selection import ChosenWeights, chosen_weights
from runtime.errors import InputError
from runtime.formats.args_file import parse

if TYPE_CHECKING:
    from packer.edit.opened import Held
    from packer.engines.other_runtimes import Runtime


def chosen_runtime(request: PackRequest) -> Runtime | None:
    """The program that `--runtime` names, if any. Raises InputError if it cannot be used, or other
    arguments ask for llamapack's own engine."""
    path = request.runtime
    if path is None:
        return None
    # Not at the top, as below: what few bundles need takes longer to import than the usual rest.
    from packer.engines.cosmo import chosen as chosen_cosmo
    from packer.engines.other_runtimes import COSMO, read_runtime

    refused = {
        "--targets": request.targets,
        "--gpu": request.gpu,
        "--gpu-sources": None if request.gpu_sources == AUTO else request.gpu_sources,
        "--format": None if request.format == APE else request.format,
        "--windows": request.windows,
        "--model": request.named_models,
        "--consume": request.consume,
    }
    for flag, value in refused.items():
        if value:
            raise InputError(
                f"`{flag}` is for bundles with llamapack's own engine, and {path} brings another",
                "Leave one of the two out.",
            )
    return read_runtime(chosen_cosmo() if path == COSMO else path)


def make(stated: Mapping[str, Any]) -> list[Path]:
    """Pack what a command line asks for; the paths of the new files. `stated`: its options by
    attribute, without defaults."""
    request = completed(stated)
    if not request.models and not request.named_models:
        raise InputError(
            f"the recipe {request.recipe} names no weights", "Add `weights`, or name a MODEL."
        )
    runtime = chosen_runtime(request)
    with output_place(request.output) as place:
        return (
            _consumed(request, place) if request.consume else _make(request, place, None, runtime)
        )


def _consumed(request: PackRequest, place: OutputPlace) -> list[Path]:
    from packer.edit.adoption import consumable, finished, own_file

    if request.quant:
        raise InputError(
            "`--quant` writes another file, but `--consume` uses MODEL itself",
            "Run `llamapack quantize` first, and consume its output.",
        )
    weights = own_file([*request.models, *request.named_models])
    name = f"{bundle_stem(weights)}{ENDINGS[request.format]}"
    output = place.file(weights.path.with_name(name))
    if finished(weights.path, output):
        return [output]
    with consumable(weights.path) as model:
        return _make(request, OutputPlace(output), model, None)


def _make(
    request: PackRequest, place: OutputPlace, consumed: Held | None, runtime: Runtime | None
) -> list[Path]:
    with ExitStack() as stack:
        if request.name is not None:
            check_bundle_name(request.name)
        folders = {} if runtime else _engines(request)
        own = own_words(request.args, request.args_file)
        check_options(parse(own), folders)
        workshop = stack.enter_context(_workshop(request, place))
        template = _template(request.chat_template)
        weights = chosen_weights(
            request,
            own_template=template is not None,
            own=None if runtime else parse(own),
            workshop=workshop,
        )
        metadata = read_metadata(request, weights)
        template = _settled(template, weights, metadata, parse(own), quiet=request.quiet)
        check_models(weights.inputs, folders)
        for section in weights.several:
            check_options(section.args, folders)
        plan = _plan(
            stack, request, weights, metadata,
            own=own, template=template, folders=folders, runtime=runtime,
        )  # fmt: skip
        output = place.file(Path(f"{weights.stem}{ENDINGS[request.format]}"))
        if runtime:
            plans = {output: plan}
        else:
            plans = planned(plan, folders, output, kind=request.format, windows=request.windows)
        inputs = [*weights.inputs.paths, *([runtime.path] if runtime else [])]
        written = _write(
            stack, request, plans,
            work=plan.work, inputs=inputs, consumed=consumed,
        )  # fmt: skip
    if not request.quiet:
        if folders:
            note(f"engines: {engines.origins(folders)}")
        report(plans, written)
    return [path for paths in written.values() for path in paths]


def _settled(
    template: bytes | None,
    weights: ChosenWeights,
    metadata: ModelMetadata,
    words: Sequence[str],
    *,
    quiet: bool,
) -> bytes | None:
    """The bundle's own template, if any: the requested one, or the one of the model's card.
    `words`: of `--args`."""
    inputs = weights.inputs
    if template is None and (template := card_template(metadata.card, inputs)):
        inputs.use_own_template()
    if not quiet:
        if metadata.warning:
            note(metadata.warning)
        warn_of_problems(inputs, template, words)
    return template


def _plan(
    stack: ExitStack,
    request: PackRequest,
    weights: ChosenWeights,
    metadata: ModelMetadata,
    *,
    own: str,
    template: bytes | None,
    folders: Mapping[str, Path],
    runtime: Runtime | None,
) -> BundlePlan:
    started = Args.of(
        weights.first,
        several=bool(weights.several),
        template=template is not None,
        defaults=metadata.options,
    )
    started.put_own(own, weights.first.args)
    packed: tuple[list[PackedEngine], list[PackedModule], list[Packed]] = ([], [], [])
    text = started.text
    if runtime:
        from packer.engines.other_runtimes import rewritten

        text = rewritten(text, runtime.dialect)
    if not runtime:
        modules = chosen(request.gpu, folders)
        wanted = sources.wanted(request.gpu_sources, folders)
        packed = packed_runtime(stack, folders, modules, wanted, engines.web_ui())
    return BundlePlan(
        name=request.name or weights.stem,
        front=Front(b""),
        engines=packed[0],
        gpu_modules=packed[1],
        shared=packed[2],
        weights=weights.inputs.sources,
        models=weights.inputs.models,
        chat_template=template,
        args=text,
        recipe=recorded(
            started, weights.several, context=request.ctx_size, sampling=metadata.sampling
        ),
        epoch=source_date_epoch(),
        models_preset=preset(weights.several) if weights.several else None,
        files={**metadata.members, **extra_files(request.add)},
        card=metadata.card,
        runtime=runtime,
    )


def _write(
    stack: ExitStack,
    request: PackRequest,
    plans: Mapping[Path, BundlePlan],
    *,
    work: int,
    inputs: Sequence[Path],
    consumed: Held | None,
) -> dict[Path, list[Path]]:
    """Write all plans; the files of each, complete once the stack is closed."""
    bar = stack.enter_context(progress("packing", work))

    def advance(amount: int) -> object:
        return None if request.quiet else bar(amount)

    if consumed:
        from packer.edit.adoption import consume

        consume(
            consumed, plans, force=request.force, part_size=request.split_size, inputs=inputs,
            advance=advance,
        )  # fmt: skip
        return {path: [path] for path in plans}
    made = {path: _output(stack, path, plan, request, inputs) for path, plan in plans.items()}
    for path, plan in plans.items():
        pack(plan, made[path][0], advance)
    return {path: paths for path, (_, paths) in made.items()}


def _template(word: str | None) -> bytes | None:
    """A chat template by name, of a file, or out of another bundle."""
    if word and named_member(word):
        return small_file(word).text.encode()
    return load(word) if word else None


def _output(
    stack: ExitStack, path: Path, plan: BundlePlan, request: PackRequest, inputs: Sequence[Path]
) -> tuple[Destination, list[Path]]:
    """Where to write one bundle, and a list that names its files once the stack is closed."""
    size = request.split_size
    needed = plan.size_limit
    if size is None or needed <= size or not plan.weights:
        file = output_file(path, force=request.force, inputs=inputs, needed=needed)
        return stack.enter_context(file), [path]
    files = part_files(
        path, size, force=request.force, inputs=inputs, needed=needed, surely=plan.work
    )
    parts = stack.enter_context(files)
    return parts, parts.paths


@contextmanager
def _workshop(request: PackRequest, place: OutputPlace) -> Iterator[Workshop]:
    """Converts and quantizes models in the folder of the bundle."""
    quantization = parse_quantization(request.quant) if request.quant else None
    if request.imatrix and not quantization:
        raise InputError("`--imatrix` is for `--quant`", "Add `--quant TYPE`, or omit it.")
    check_imatrix(request.imatrix)
    made = Workshop(place, quantization, imatrix=request.imatrix, force=request.force)
    with terminable(), made as workshop:
        yield workshop


def _engines(request: PackRequest) -> dict[str, Path]:
    if request.windows and request.format != APE:
        raise InputError(
            f"`--windows` is for the polyglot, not for `--format {request.format}`",
            "Omit one of the two.",
        )
    if PINNED.is_file() and not request.offline:
        from packer.releases.index import fetch_own

        fetch_own(for_this_machine())
    folders = engines.chosen(request.targets)
    if request.format != APE and request.targets in (None, "all"):
        wanted = front.fitting(request.format, folders)
        if not wanted:
            name = front.example(request.format)
            raise InputError(
                f"no engine is built for `--format {request.format}`",
                f"Run `llamapack engine build {name}`.",
            )
        return {target: folders[target] for target in wanted}
    return folders
