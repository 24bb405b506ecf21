"""Makes the GGUF files that `pack` needs from other formats, and removes them at the end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from packer.convert.checkpoint import Checkpoint
from packer.convert.converter import (
    AUTO,
    TYPES,
    convert,
    converted_size,
    dequantized_size,
    find_python,
)
from packer.convert.quantizer import (
    check_quantizable,
    find_engine,
    quantize,
    quantized_name,
    quantized_size,
    size_limit,
)
from packer.io.output_checks import check_path, check_space
from packer.io.output_place import OutputPlace
from packer.io.weights_file import FileWeights, WeightsSource
from runtime.errors import InputError
from runtime.formats.gguf_header import read_header_of
from runtime.formats.model_facts import model_facts


class Workshop:
    """A folder for files on their way into a bundle, made when the first one is."""

    def __init__(
        self,
        place: OutputPlace,
        quantization: str | None = None,
        *,
        imatrix: Path | None = None,
        force: bool = False,
    ) -> None:
        """Begin.

        Args:
            place: path of the bundle; the files go into its folder.
            quantization: of the models; None: unchanged.
            force: whether the bundle may replace a file.
        """
        self._output = place
        self._place = place.folder
        self._force = force
        self._quantization = quantization
        self._imatrix = imatrix
        self._folder: Path | None = None
        self._base: Path | None = None
        self._made: set[Path] = set()

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def converted(self, checkpoint: Checkpoint, find_base: Callable[[Checkpoint], Path]) -> Path:
        """The GGUF of a checkpoint: a model in the type that was asked for, an adapter in F32.

        Args:
            find_base: gives the folder with the configuration of an adapter's model, if no model
                was converted before.

        Raises:
            InputError: it cannot be converted, or the disk is too small.
        """
        if checkpoint.adapter:
            output = self._new(checkpoint.name)
            convert(checkpoint, output, base=self._base or find_base(checkpoint))
            return output
        self._base = self._base or checkpoint.folder
        self._check_output()
        find_python()  # Better an error now than after everything was read.
        kind = (self._quantization or AUTO).lower()
        if kind in TYPES:
            whole = self._new(checkpoint.name)
            convert(checkpoint, whole, kind)
            quantization = model_facts([read_header_of(whole)], 0).quantization
            return self._named(whole, f"{checkpoint.name}-{quantization}")
        find_engine()
        self._check_space(checkpoint)
        whole = self._new(checkpoint.name)
        convert(checkpoint, whole)
        made = self._quantize(whole)
        whole.unlink()
        return made

    def quantized(self, weights: WeightsSource) -> WeightsSource:
        """The quantized copy of a model in GGUF, if one was asked for; else the model. Raises
        InputError if it cannot be quantized, or the disk is too small."""
        path = weights.path
        if self._quantization is None or path in self._made:
            return weights
        if not isinstance(weights, FileWeights):
            raise InputError(
                f"{weights} is in an archive, but the quantizer reads only files",
                "Unpack it first, with `7z x`, or leave `--quant` out.",
            )
        check_quantizable(path)
        self._check_output()
        check_space(self._place / path.name, 2 * quantized_size(path, self._quantization))
        return FileWeights(self._quantize(path))

    def _quantize(self, whole: Path) -> Path:
        assert self._quantization
        output = self._new(quantized_name(whole, self._quantization))
        quantize(whole, output, self._quantization, imatrix=self._imatrix)
        self._made.add(output)
        return output

    def _check_output(self) -> None:
        """Refuse an output that exists before hours of work, not after them."""
        if self._output.path and not self._output.is_folder:
            check_path(self._output.path, self._force, ())

    def _check_space(self, checkpoint: Checkpoint) -> None:
        """Refuse a disk that is too small for the files that exist at once: while the checkpoint
        is converted, then quantized, then packed."""
        assert self._quantization
        whole = converted_size(checkpoint, AUTO)
        quantized = size_limit(checkpoint.elements, self._quantization)
        needed = max(dequantized_size(checkpoint) + whole, whole + quantized, 2 * quantized)
        check_space(self._place / checkpoint.name, needed)

    def _new(self, stem: str) -> Path:
        if self._folder is None:
            made = tempfile.mkdtemp(prefix=".llamapack-", suffix=".partial", dir=self._place)
            self._folder = Path(made)
        return self._folder / f"{stem}.gguf"

    def _named(self, path: Path, stem: str) -> Path:
        found = path.rename(path.with_name(f"{stem}.gguf"))
        self._made.add(found)
        return found
