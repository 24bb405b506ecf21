"""Makes the GGUF files that `pack` needs from other formats, and removes them at the end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from packer.convert import converter, quantizer
from packer.convert.checkpoint import Checkpoint
from packer.io.output import check_path, check_space
from packer.io.output_place import OutputPlace
from packer.io.sources import FileWeights, WeightsSource
from runtime.errors import InputError
from runtime.formats.gguf_header import read_header_of
from runtime.formats.model_facts import model_facts


@dataclass
class Workshop:
    """A folder for files on their way into a bundle, made when the first one is."""

    place: OutputPlace
    """Path of the bundle; the files go into its folder."""
    quantization: str | None = None
    """Of the models; None: unchanged."""
    imatrix: Path | None = None
    force: bool = False
    """Whether the bundle may replace a file."""
    _folder: Path | None = None
    _base: Path | None = None
    _made: set[Path] = field(default_factory=set)

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
            converter.convert(checkpoint, output, base=self._base or find_base(checkpoint))
            return output
        self._base = self._base or checkpoint.folder
        self._check_output()
        converter.find_python()  # Better an error now than after everything was read.
        kind = (self.quantization or converter.AUTO).lower()
        if kind in converter.TYPES:
            whole = self._new(checkpoint.name)
            converter.convert(checkpoint, whole, kind)
            quantization = model_facts([read_header_of(whole)], 0).quantization
            return self._named(whole, f"{checkpoint.name}-{quantization}")
        quantizer.find_engine()
        self._check_space(checkpoint)
        whole = self._new(checkpoint.name)
        converter.convert(checkpoint, whole)
        made = self._quantize(whole)
        whole.unlink()
        return made

    def quantized(self, weights: WeightsSource) -> WeightsSource:
        """The quantized copy of a model in GGUF, if one was asked for; else the model. Raises
        InputError if it cannot be quantized, or the disk is too small."""
        path = weights.path
        if self.quantization is None or path in self._made:
            return weights
        if not isinstance(weights, FileWeights):
            raise InputError(
                f"{weights} is in an archive, but the quantizer reads only files",
                "Unpack it first, with `7z x`, or leave `--quant` out.",
            )
        quantizer.check_quantizable(path)
        self._check_output()
        check_space(
            self.place.folder / path.name, 2 * quantizer.quantized_size(path, self.quantization)
        )
        return FileWeights(self._quantize(path))

    def _quantize(self, whole: Path) -> Path:
        assert self.quantization
        output = self._new(quantizer.quantized_name(whole, self.quantization))
        quantizer.quantize(whole, output, self.quantization, imatrix=self.imatrix)
        self._made.add(output)
        return output

    def _check_output(self) -> None:
        """Refuse an output that exists before hours of work, not after them."""
        if self.place.path and not self.place.is_folder:
            check_path(self.place.path, self.force, ())

    def _check_space(self, checkpoint: Checkpoint) -> None:
        """Refuse a disk that is too small for the files that exist at once: while the checkpoint
        is converted, then quantized, then packed."""
        assert self.quantization
        whole = converter.converted_size(checkpoint, converter.AUTO)
        quantized = quantizer.size_limit(checkpoint.elements, self.quantization)
        needed = max(
            converter.dequantized_size(checkpoint) + whole, whole + quantized, 2 * quantized
        )
        check_space(self.place.folder / checkpoint.name, needed)

    def _new(self, stem: str) -> Path:
        if self._folder is None:
            made = tempfile.mkdtemp(prefix=".llamapack-", suffix=".partial", dir=self.place.folder)
            self._folder = Path(made)
        return self._folder / f"{stem}.gguf"

    def _named(self, path: Path, stem: str) -> Path:
        found = path.rename(path.with_name(f"{stem}.gguf"))
        self._made.add(found)
        return found
