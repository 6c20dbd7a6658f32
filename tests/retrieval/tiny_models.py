"""Other models of a few kilobytes, random, made by the tests: a static embedding and a cross-encoder."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "car", "cat", "rain", "the", "is", "where", "long", "boiler", "港", "дождь")


def make_tiny_static(folder: Path, *, dim: int = 64) -> Path:
    """A StaticEmbedding as sentence-transformers saves it, of a seed."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    torch: Any = importlib.import_module("torch")  # partly untyped, all three
    sentence: Any = importlib.import_module("sentence_transformers")
    parts: Any = importlib.import_module("sentence_transformers.models")
    torch.manual_seed(5)
    vocabulary = {word: index for index, word in enumerate(WORDS)}
    tokenizer: Any = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.enable_truncation(4)  # as many tokenizers are saved; static models read on
    weights = torch.randn(len(WORDS), dim)
    module = parts.StaticEmbedding(tokenizer, embedding_weights=weights)
    sentence.SentenceTransformer(modules=[module], device="cpu").save(str(folder), create_model_card=False)
    (folder / "README.md").write_text("---\nlanguage:\n- en\n- ru\n---\n")
    return folder


def make_tiny_cross_encoder(folder: Path, *, labels: int = 1) -> Path:
    """A BERT of one layer that scores pairs, of a seed; it takes 64 tokens."""
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    torch.manual_seed(3)
    tokenizer: Any = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64, num_labels=labels, initializer_range=0.5,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    fast = transformers.BertTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=64, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        unk_token="[UNK]",
    )  # fmt: skip
    fast.save_pretrained(folder)
    return folder
