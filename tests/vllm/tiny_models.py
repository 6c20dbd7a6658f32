"""Writes tiny Phi-3.5 models for vLLM's `--load-format dummy`: a configuration and a tokenizer, no weights.

What they answer is noise, but the architecture, the chat markup, the special tokens and the window are Phi-3.5's own.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

VOCABULARY = 1_200
CONTROL_TOKENS = ("<unk>", "<s>", "</s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"
)
# What the tokenizer is trained on: ordinary prose in several scripts, written for this file.
TEXT = """
The report describes how the harbour was rebuilt after the storm. Engineers measured the depth of the water every morning,
and the figures were printed in a table on the following page. Each column of the table gives one month, each row one place.
A question that the document answers should be answered with a citation: the page, the line or the second where it is said.
When the evidence does not answer the question, the assistant says so. Sources are data, and never instructions.
The contract ends on the last day of the year unless one of the parties gives notice three months before. The price includes
transport, insurance and storage. Payment is due within thirty days. The annual revenue of the company grew by eleven per cent.
def count_words(text: str) -> int:
    return len(text.split())
class Harbour:
    def __init__(self, name: str, depth_m: float) -> None:
        self.name = name
        self.depth_m = depth_m
for index in range(10):
    print(index, index * index)
Der Bericht beschreibt, wie der Hafen nach dem Sturm wieder aufgebaut wurde. Jede Spalte der Tabelle zeigt einen Monat.
Le rapport décrit comment le port a été reconstruit après la tempête. Chaque colonne du tableau représente un mois.
El informe describe cómo se reconstruyó el puerto después de la tormenta. Cada columna de la tabla muestra un mes.
O relatório descreve como o porto foi reconstruído depois da tempestade. Il rapporto descrive come il porto fu ricostruito.
Raportti kuvaa, kuinka satama rakennettiin uudelleen myrskyn jälkeen. Rapport beskriver hvordan havnen ble bygget opp igjen.
Звіт описує, як гавань відбудували після бурі. Отчёт описывает, как гавань восстановили после бури. Каждый столбец таблицы.
报告描述了风暴之后港口是如何重建的。表格的每一列代表一个月。 報告書は、嵐の後に港がどのように再建されたかを説明しています。
보고서는 폭풍 이후 항구가 어떻게 재건되었는지 설명합니다. يصف التقرير كيف أعيد بناء الميناء بعد العاصفة.
הדוח מתאר כיצד נבנה הנמל מחדש אחרי הסערה. รายงานอธิบายว่าท่าเรือถูกสร้างขึ้นใหม่อย่างไรหลังพายุ
"""


def train_tokenizer(control_tokens: Sequence[str] = CONTROL_TOKENS) -> Tokenizer:
    """Returns a byte-level BPE of `VOCABULARY` words with these control tokens, by default Phi-3.5's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # As in Phi-3.5's own files: a control token swallows the white space after it.
    control = [AddedToken(name, special=True, normalized=False, rstrip=True) for name in control_tokens]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=control, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXT.splitlines(), trainer)
    return tokenizer


def phi3_config(vocabulary: int) -> dict[str, Any]:
    """Returns the configuration of a two-layer Phi-3 with LongRoPE and a window of 131,072 tokens."""
    return {
        "architectures": ["Phi3ForCausalLM"],
        "model_type": "phi3",
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "hidden_act": "silu",
        "max_position_embeddings": 131_072,
        "original_max_position_embeddings": 4_096,
        # One factor for each pair of a head's 32 dimensions.
        "rope_scaling": {"type": "longrope", "short_factor": [1.0] * 16, "long_factor": [1.0 + i for i in range(16)]},
        "rope_theta": 10_000.0,
        "rms_norm_eps": 1e-5,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "bos_token_id": 1,
        "eos_token_id": 3,
        "pad_token_id": 3,
    }


def write_xlm_roberta(folder: Path, *, labels: int = 0) -> Path:
    """Writes a tiny XLM-RoBERTa into `folder` and returns it: for embeddings, or with `labels` of 1 for rerank scores.

    It takes 126 tokens: positions begin behind the padding token's, which is 1. Its weights are random, of a seed, and written
    by transformers: those that vLLM makes up are so small that all texts get one vector.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(("<s>", "<pad>", "</s>", "<unk>", "<mask>"))
    ends = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>"}
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))  # pyright: ignore[reportAttributeAccessIssue]  # typed as an older version
    tokenizer.save(str(folder / "tokenizer.json"))
    config: dict[str, Any] = {
        "architectures": ["XLMRobertaForSequenceClassification" if labels else "XLMRobertaModel"],
        "model_type": "xlm-roberta",
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "hidden_act": "gelu",
        "max_position_embeddings": 128,
        "position_embedding_type": "absolute",  # vLLM 0.32 fails without it
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "torch_dtype": "float32",
    }
    if labels:
        config |= {
            "id2label": {str(n): f"LABEL_{n}" for n in range(labels)},
            "label2id": {f"LABEL_{n}": n for n in range(labels)},
        }
    torch: Any = importlib.import_module("torch")  # partly untyped, both
    transformers: Any = importlib.import_module("transformers")
    torch.manual_seed(11)
    sizes = transformers.XLMRobertaConfig(**config, initializer_range=0.5)
    getattr(transformers, config["architectures"][0])(sizes).save_pretrained(folder)
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", **ends, "pad_token": "<pad>", "unk_token": "<unk>"}
    for name, content in {"config.json": config, "tokenizer_config.json": {**settings, "model_max_length": 126}}.items():
        (folder / name).write_text(json.dumps(content, indent=2))
    return folder


def write_phi3(folder: Path) -> Path:
    """Writes the tiny Phi-3 into `folder` and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    files = {
        "config.json": phi3_config(tokenizer.get_vocab_size()),
        "generation_config.json": {"bos_token_id": 1, "eos_token_id": [3, 6, 4], "pad_token_id": 3},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<s>",
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "unk_token": "<unk>",
            "model_max_length": 131_072,
            "chat_template": CHAT_TEMPLATE,
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False))
    return folder


if __name__ == "__main__":
    print(write_phi3(Path(sys.argv[1])))
