"""A tiny Whisper with made-up weights, as a folder of Hugging Face files: the architecture and tokens, and one word to say."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from tests.vllm.tiny_models import train_tokenizer
from tokenizers import AddedToken

LANGUAGES = (
    *("en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr", "pl", "ca", "nl", "ar", "sv", "it", "id", "hi", "fi", "vi"),
    *("he", "uk", "el", "ms", "cs", "ro", "da", "hu", "ta", "no", "th", "ur", "hr", "bg", "lt", "la", "mi", "ml", "cy", "sk"),
)
WORD = "the"
"""What the model says, again and again."""

_TASKS = ("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>")
_STAMPS = tuple(f"<|{number * 0.02:.2f}|>" for number in range(1501))
SPECIAL = ("<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES), *_TASKS)


def write_whisper(folder: Path) -> Path:
    """Writes the model into `folder` and returns it. Takes some seconds: torch and transformers are imported."""
    torch: Any = importlib.import_module("torch")  # types of none of these are whole
    transformers: Any = importlib.import_module("transformers")
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer: Any = train_tokenizer(())
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True, normalized=False) for name in (*SPECIAL, *_STAMPS)]
    )  # behind words
    tokenizer.save(str(folder / "tokenizer.json"))
    ids = {name: tokenizer.token_to_id(name) for name in (*SPECIAL, *_STAMPS)}
    end, start = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    size = {"d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = transformers.WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(),
        **size,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        max_source_positions=1500,
        max_target_positions=448,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=start,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    torch.manual_seed(7)
    model = transformers.WhisperForConditionalGeneration(config)
    _favour(model, tokenizer.encode(f" {WORD}").ids[0])
    generation: Any = model.generation_config
    generation.update(
        lang_to_id={f"<|{code}|>": ids[f"<|{code}|>"] for code in LANGUAGES},
        task_to_id={"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]},
        no_timestamps_token_id=ids["<|notimestamps|>"],
        is_multilingual=True,
        alignment_heads=[[1, 0]],
        max_length=448,
    )
    model.save_pretrained(folder)
    _write_tokenizer_files(folder, tokenizer.to_str())
    extractor = {
        **{"feature_extractor_type": "WhisperFeatureExtractor", "processor_class": "WhisperProcessor", "feature_size": 80},
        **{"sampling_rate": 16_000, "hop_length": 160, "chunk_length": 30, "n_fft": 400, "n_samples": 480_000},
        **{"nb_max_frames": 3000, "padding_side": "right", "padding_value": 0.0, "return_attention_mask": False},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(extractor))
    return folder


def _favour(model: Any, token: int) -> None:
    """Have it say one word, whatever it hears: the same logits at each step, that word's far above the others'."""
    row = model.model.decoder.embed_tokens.weight.data[token]
    last = model.model.decoder.layer_norm
    last.weight.data.zero_()
    last.bias.data.copy_(row * (30.0 / float(row @ row)))


def _write_tokenizer_files(folder: Path, serialized: str) -> None:
    """The older files of the same tokenizer, which some loaders want."""
    model = json.loads(serialized)["model"]
    special = {
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
    }
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    more = {"tokenizer_class": "WhisperTokenizer", "processor_class": "WhisperProcessor", "model_max_length": 448, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(more))
    (folder / "special_tokens_map.json").write_text(json.dumps(special))


def convert_whisper(model: Path, folder: Path) -> Path:
    """Converts the model for faster-whisper (CTranslate2, int8)."""
    converters: Any = importlib.import_module("ctranslate2.converters")
    converter = converters.TransformersConverter(str(model), copy_files=["tokenizer.json", "preprocessor_config.json"])
    converter.convert(str(folder), quantization="int8", force=True)
    return folder
