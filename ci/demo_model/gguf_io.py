"""Writes the model as a Q8_0 GGUF for llama.cpp, and reads it back into PyTorch."""

from pathlib import Path

import gguf
import numpy as np
import torch
from gguf.quants import dequantize, quantize

from ci.demo_model.model import Config, Model
from ci.demo_model.tokenizer import END_OF_TEXT, IM_END, SPECIALS, Tokenizer

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

_ARCH = "llama"


def write_model(path: Path, model: Model, tokenizer: Tokenizer) -> None:
    """Writes matrices as Q8_0 and vectors as F32."""
    writer = gguf.GGUFWriter(path, _ARCH)
    _add_description(writer)
    _add_sizes(writer, model.config)
    _add_tokenizer(writer, tokenizer)
    for name, tensor in model.state_dict().items():
        values = tensor.numpy().astype(np.float32)
        if values.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_description(writer: gguf.GGUFWriter) -> None:
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name("llamapack demo")
    writer.add_basename("llamapack-demo")
    writer.add_description("A very small chat model that answers questions about llamapack")
    writer.add_author("The llamapack authors")
    writer.add_size_label("2.6M")
    writer.add_license("apache-2.0")
    writer.add_tags(["text-generation", "demo"])
    writer.add_languages(["en"])


def _add_sizes(writer: gguf.GGUFWriter, config: Config) -> None:
    writer.add_vocab_size(config.n_vocab)
    writer.add_context_length(config.n_ctx)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(config.n_ff)
    writer.add_head_count(config.n_head)
    writer.add_head_count_kv(config.n_head_kv)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_base)
    writer.add_layer_norm_rms_eps(config.rms_eps)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokenizer.tokens)
    writer.add_token_types([control if t in SPECIALS else normal for t in tokenizer.tokens])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer.merges])
    writer.add_bos_token_id(tokenizer.id(END_OF_TEXT))
    writer.add_eos_token_id(tokenizer.id(IM_END))
    writer.add_eot_token_id(tokenizer.id(IM_END))
    writer.add_pad_token_id(tokenizer.id(END_OF_TEXT))
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def read_model(path: Path) -> tuple[Model, Tokenizer]:
    """The model with its weights as quantization left them, and its tokenizer."""
    reader = gguf.GGUFReader(path)

    def value(key: str) -> object:
        found = reader.get_field(key)
        assert found is not None, f"{path} has no {key}"
        return found.contents()

    def size(key: str) -> int:
        return int(str(value(f"{_ARCH}.{key}")))

    config = Config(
        n_vocab=size("vocab_size"),
        n_ctx=size("context_length"),
        n_embd=size("embedding_length"),
        n_layer=size("block_count"),
        n_head=size("attention.head_count"),
        n_head_kv=size("attention.head_count_kv"),
        n_ff=size("feed_forward_length"),
    )
    tokens, merges = value("tokenizer.ggml.tokens"), value("tokenizer.ggml.merges")
    assert isinstance(tokens, list)
    assert isinstance(merges, list)
    pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
    model = Model(config)
    # Copies, because the reader's arrays are views of the file.
    arrays = {t.name: dequantize(t.data, t.tensor_type).copy() for t in reader.tensors}
    model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return model.eval(), Tokenizer(list(tokens), pairs)
