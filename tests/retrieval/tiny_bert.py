"""A sentence-transformers model of a few kilobytes, random, made by the tests."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "query", "passage", ":", "car", "cat", "rain", "the", "is", "where", "long")


def make_tiny_bert(folder: Path, *, card: str = "---\nlanguage:\n- en\n- de\n---\n", dim: int = 32) -> Path:
    """A BERT of two layers with mean pooling in `folder`, its weights fixed by a seed."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    # Partly untyped, all three.
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    sentence: Any = importlib.import_module("sentence_transformers")
    parts: Any = importlib.import_module("sentence_transformers.models")
    torch.manual_seed(7)
    base = folder / "base"
    vocabulary = {word: index for index, word in enumerate(WORDS)}
    tokenizer: Any = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=dim, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=64,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(base)
    transformers.BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=64).save_pretrained(base)
    transformer = parts.Transformer(str(base), max_seq_length=32)
    model = sentence.SentenceTransformer(modules=[transformer, parts.Pooling(dim, "mean")], device="cpu")
    model.save(str(folder / "model"), create_model_card=False)
    (folder / "model" / "README.md").write_text(card)
    sentence = folder / "model" / "sentence_bert_config.json"
    if not sentence.is_file():
        sentence.write_text(json.dumps({"max_seq_length": 32}))
    return folder / "model"
