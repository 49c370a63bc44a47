"""A checkpoint as GGUF: Q8_0 matrices, F32 norms, the tokenizer and the pointer heads (FORMAT.md, "Container").

    python export.py run/checkpoint.pt ../default/llmos-tiny.gguf
"""

import argparse
import json

import gguf
import numpy as np
import torch

import tokenizer as tk
from model import LOWER
from train import load_model

BLOCK = {"attn_norm.weight": "attn_norm.weight", "attn.q.weight": "attn_q.weight", "attn.k.weight": "attn_k.weight", "attn.v.weight": "attn_v.weight",
         "attn.o.weight": "attn_output.weight", "attn.q_norm.weight": "attn_q_norm.weight", "attn.k_norm.weight": "attn_k_norm.weight",
         "ffn_norm.weight": "ffn_norm.weight", "gate.weight": "ffn_gate.weight", "up.weight": "ffn_up.weight", "down.weight": "ffn_down.weight"}

# The steps on either side of zero that the matrices over `LOWER` use, and the steps of Q8_0 from one of them to the next.
LEVELS, STEP = 31, 4


def gguf_name(name):
    """Our parameter's name in the container."""
    if name == "embed.weight":
        return "token_embd.weight"
    if name == "norm.weight":
        return "output_norm.weight"
    if name == "sense.weight":
        return name
    if name == "scale":
        return "sense.scale"
    if name.startswith("pointer."):
        head, kind = name.split(".")[1].split("_")
        return f"pointer.{head}.{kind}.weight"
    _, index, rest = name.split(".", 2)
    return f"blk.{index}.{BLOCK[rest]}"


def quantize(name, array):
    """A matrix as Q8_0. What lies over `LOWER`, the part that `--fix-lower` lets change, is written coarsely, so that a repository keeps a smaller difference."""
    if name.startswith(LOWER):
        return gguf.quants.quantize(array.astype(np.float32), gguf.GGMLQuantizationType.Q8_0)
    return coarse(array)


def coarse(array):
    """Q8_0 with 63 of its 255 steps and 4 bits of a scale's fraction: deflated, a matrix is smaller by 23 %; its relative error is 2 %, which moves scores by no more than chance.

    Of the scales that make a block's largest weight the last step, and of those about them, each block gets the one of least square error.
    """
    blocks = array.astype(np.float32).reshape(-1, 32)
    largest = np.abs(blocks).max(1, keepdims=True)
    least = np.full_like(largest, np.inf)
    scales, steps = np.zeros_like(largest), np.zeros_like(blocks)
    for share in np.linspace(0.7, 1.06, 19):
        bits = (largest * share / (LEVELS * STEP)).astype(np.float16).view(np.uint16).astype(np.uint32)
        scale = ((bits + 32) // 64 * 64).astype(np.uint16).view(np.float16).astype(np.float32)
        step = np.clip(np.round(blocks / np.where(scale == 0, 1, scale * STEP)), -LEVELS, LEVELS)
        error = np.square(step * STEP * scale - blocks).sum(1, keepdims=True)
        better = error < least
        least, scales, steps = np.where(better, error, least), np.where(better, scale, scales), np.where(better, step, steps)
    packed = np.concatenate([scales.astype(np.float16).view(np.uint8), (steps * STEP).astype(np.int8).view(np.uint8)], axis=1)
    return packed.reshape(array.shape[0], -1)


def dequantized(model):
    """The model as the container holds it: every matrix through Q8_0 and back to f32."""
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            packed = quantize(name, parameter.detach().numpy())
            parameter.data = torch.from_numpy(gguf.quants.dequantize(packed, gguf.GGMLQuantizationType.Q8_0).copy())
    return model


def add_vocabulary(writer, tokenizer):
    content = json.loads(tokenizer.to_str())["model"]
    vocabulary = sorted(content["vocab"].items(), key=lambda item: item[1])
    kinds = [gguf.TokenType.CONTROL if i < len(tk.CONTROLS) else gguf.TokenType.NORMAL for _, i in vocabulary]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types(kinds)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in content["merges"]])
    writer.add_pad_token_id(tk.PAD)
    writer.add_eos_token_id(tk.END)
    writer.add_bos_token_id(tk.TOOLS)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)


def export(model, tokenizer, path, name):
    c = model.config
    writer = gguf.GGUFWriter(str(path), "qwen3")
    writer.add_name(name)
    writer.add_uint32("llmos.format", 3)
    if c.caution:
        writer.add_float32("llmos.caution", c.caution)
    writer.add_block_count(c.layers)
    writer.add_context_length(c.context)
    writer.add_embedding_length(c.width)
    writer.add_feed_forward_length(c.ffn)
    writer.add_head_count(c.heads)
    writer.add_head_count_kv(c.kv_heads)
    writer.add_key_length(c.head)
    writer.add_value_length(c.head)
    writer.add_rope_freq_base(c.rope_base)
    writer.add_layer_norm_rms_eps(c.epsilon)
    writer.add_vocab_size(c.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    add_vocabulary(writer, tokenizer)
    for parameter, tensor in model.state_dict().items():
        array = tensor.detach().float().numpy()
        if array.ndim == 2:
            assert array.shape[1] % (32 if parameter == "sense.weight" else 256) == 0 and array.shape[0] % 16 == 0, (parameter, array.shape)
            writer.add_tensor(gguf_name(parameter), quantize(parameter, array), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(gguf_name(parameter), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("gguf")
    parser.add_argument("--name", default="llmos-tiny")
    options = parser.parse_args()
    model, _ = load_model(options.checkpoint)
    export(model.merged(), tk.load(), options.gguf, options.name)
    print("wrote", options.gguf)
