"""Writes a tiny Phi-3.5-vision for vLLM's `--load-format dummy`: its own way with pictures, one layer of all, no weights.

Its configuration and processor, which transformers does not have, are written anew here, for Pillow and numpy alone. vLLM
checks how many tokens a picture becomes: its model makes features of the pixels, and refuses a processor that announces another
number.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.vllm.tiny_models import CHAT_TEMPLATE, phi3_config, train_tokenizer

NAME = "phi-3.5-vision"
CROPS, IMAGES, WINDOW_TOKENS = 4, 3, 8_192
FLAGS = (
    *("--load-format", "dummy", "--enable-prompt-tokens-details", "--trust-remote-code", "--interleave-mm-strings"),
    *("--limit-mm-per-prompt", json.dumps({"image": IMAGES}), "--mm-processor-kwargs", json.dumps({"num_crops": CROPS})),
    *("--skip-mm-profiling", "--max-num-batched-tokens", "8192"),
)
_IMAGE_TOKEN = 32_044  # what vLLM puts in the place of a picture
_CONFIGURATION = """
from transformers import Phi3Config


class Phi3VConfig(Phi3Config):
    model_type = "phi3_v"
"""
_PROCESSOR = '''
import math

import numpy as np
import torch
from PIL import Image
from transformers import BatchFeature, PreTrainedTokenizerFast, ProcessorMixin

SIDE = 336


class Phi3VProcessor(ProcessorMixin):
    attributes = ["tokenizer"]
    tokenizer_class = "PreTrainedTokenizerFast"

    def __init__(self, tokenizer=None, num_crops=1, **kwargs):
        self.tokenizer, self.num_crops, self.chat_template = tokenizer, num_crops, None
        self.img_tokens = [f"<|image_{number}|>" for number in range(1, 100)]

    @classmethod
    def from_pretrained(cls, path, *args, num_crops=1, **kwargs):
        return cls(PreTrainedTokenizerFast.from_pretrained(path), num_crops)

    def _scaled(self, width, height):
        """The size before the shorter side is filled up to whole tiles."""
        long, short = max(width, height), min(width, height)
        scale = 1
        while (scale + 1) * math.ceil((scale + 1) * short / long) <= self.num_crops:
            scale += 1
        sides = scale * SIDE, int(scale * SIDE * short / long)
        return sides if width >= height else sides[::-1]

    def _tiles(self, width, height):
        return tuple(math.ceil(side / SIDE) for side in self._scaled(width, height))

    def calc_num_image_tokens_from_image_size(self, width, height):
        columns, rows = self._tiles(width, height)
        return (columns * rows + 1) * 144 + 1 + (rows + 1) * 12

    def __call__(self, text=None, images=None, return_tensors=None, **kwargs):
        images = images if isinstance(images, list) else [images]
        pixels, sizes = [], []
        for image in images:
            columns, rows = self._tiles(*image.size)
            ground = Image.new("RGB", (columns * SIDE, rows * SIDE), "white")
            ground.paste(image.convert("RGB").resize(self._scaled(*image.size)))
            tiles = [ground.resize((SIDE, SIDE))]
            for row in range(rows):
                for column in range(columns):
                    box = (column * SIDE, row * SIDE, (column + 1) * SIDE, (row + 1) * SIDE)
                    tiles.append(ground.crop(box))
            stacked = np.stack([np.asarray(tile, dtype=np.float32) / 255 for tile in tiles]).transpose(0, 3, 1, 2)
            filled = np.zeros((self.num_crops + 1, 3, SIDE, SIDE), dtype=np.float32)
            filled[: len(stacked)] = stacked
            pixels.append(torch.from_numpy(filled))
            sizes.append([rows * SIDE, columns * SIDE])
        data = {"pixel_values": torch.stack(pixels), "image_sizes": torch.tensor(sizes)}
        if text is not None:
            data["input_ids"] = self.tokenizer([text] if isinstance(text, str) else text, return_tensors="pt")["input_ids"]
        return BatchFeature(data)
'''


def write_phi3_vision(folder: Path) -> Path:
    """Writes the model into `folder` and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    train_tokenizer().save(str(folder / "tokenizer.json"))
    config = phi3_config(32_064) | {
        "architectures": ["Phi3VForCausalLM"],
        "model_type": "phi3_v",
        "auto_map": {"AutoConfig": "configuration_phi3_v.Phi3VConfig"},
        "num_hidden_layers": 1,
        "img_processor": {
            "name": "clip_vision_model",
            "image_dim_out": 1024,
            "layer_idx": 0,  # of CLIP's 24, whose sizes vLLM has written down
            "num_img_tokens": 144,
            "type_feature": "patch",
        },
        "embd_layer": {"use_hd_transform": True, "with_learnable_separator": True, "hd_transform_order": "sub_glb"},
    }
    tokens = {"bos_token": "<s>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "unk_token": "<unk>"}
    processor = {"auto_map": {"AutoProcessor": "processing_phi3_v.Phi3VProcessor"}, "processor_class": "Phi3VProcessor"}
    files: dict[str, Any] = {
        "config.json": config,
        "generation_config.json": {"bos_token_id": 1, "eos_token_id": [3, 6, 4], "pad_token_id": 3},
        "processor_config.json": processor,
        "preprocessor_config.json": processor,
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **tokens,
            "model_max_length": 131_072,
            "chat_template": CHAT_TEMPLATE,
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False))
    (folder / "configuration_phi3_v.py").write_text(_CONFIGURATION)
    (folder / "processing_phi3_v.py").write_text(_PROCESSOR)
    return folder


if __name__ == "__main__":
    print(write_phi3_vision(Path(sys.argv[1])))
