"""The `vllm serve` line of a model on a GPU: flags that a stock vLLM 0.33 takes, for its memory as `memory.py` sums it.

Source of the flags: vLLM's argument parser; a test has the parser of a real vLLM read every line that is made here.
"""

from __future__ import annotations

import json
import shlex

from phidex.generation.models.memory import Fit
from phidex.generation.models.table import ENCODERS, Model, ModelRole, image_tokens

_HEAD_DIMS = (64, 128, 256, 512)  # that FlashInfer has fp8 kernels for; other heads need FlashAttention 3 or Triton
_SEQUENCES = {"mini": 64, "moe": 32, "vision": 16}
PORTS: dict[ModelRole, int] = {"mini": 8000, "embed": 8001, "rerank": 8002, "speech": 8003, "moe": 8004, "vision": 8005}
"""Where the servers of one machine listen, unless another port is asked for."""

REVISIONS: dict[ModelRole, str] = {"vision": "4a0d683eba9f1d0cbfb6151705d1ee73c25a80ca"}
"""Commits of the repositories whose own code is run, so that nobody can change it afterwards. Source: the configuration of
Phi-3.5-vision-instruct as transformers writes it (`_commit_hash`), and the references of other projects to its code."""

_QUEUED = 256  # further requests get an error that can be retried, instead of an endless queue
_JSON = {"backend": "xgrammar", "disable_any_whitespace": True}  # white space without end is what small models stray into


def serve_arguments(
    model: Model,
    fit: Fit | None = None,
    *,
    hopper: bool = False,
    num_crops: int = 4,
    revision: str = "",
    port: int | None = None,
) -> list[str]:
    """The arguments after `vllm`: ["serve", hub id, …].

    Args:
        fit: memory and precision; None leaves them to vLLM, of models that are small beside the others.
        hopper: the GPU has compute capability 9.0 (H100, H200), whose kernels take an fp8 cache for any head.
        num_crops: tiles that a picture is cut into, the same for all of a server: 4 for several frames, 16 for single pages.
        revision: commit of the hub's repository; default: a known one where its code is run (`REVISIONS`), else the newest.
    """
    arguments = ["serve", model.hub, "--served-model-name", model.served, model.hub]
    if revision := revision or REVISIONS.get(model.role, ""):
        arguments += ["--revision", revision]
    if model.role in ENCODERS:
        arguments += ["--runner", "pooling"]
    if fit is not None:
        arguments += _memory(fit, hopper=hopper)
    if model.role in _SEQUENCES:
        arguments += ["--max-num-seqs", str(_SEQUENCES[model.role]), "--max-num-queued-reqs", str(_QUEUED)]
        arguments += ["--enable-prompt-tokens-details", "--structured-outputs-config", json.dumps(_JSON)]
    if model.trusts_code:
        arguments += ["--trust-remote-code", "--code-revision", revision]
    if model.images:
        arguments += ["--limit-mm-per-prompt", json.dumps({"image": model.images})]
        arguments += ["--mm-processor-kwargs", json.dumps({"num_crops": num_crops}), "--interleave-mm-strings"]
        arguments += ["--allowed-media-domains", "localhost"]  # pictures are sent as data: no address is fetched for a stranger
    if port is not None:
        arguments += ["--port", str(port)]
    return arguments


def serve_notes(
    model: Model, fit: Fit | None = None, *, hopper: bool = False, num_crops: int = 4, revision: str = ""
) -> list[str]:
    """What to know of such a command beside its memory."""
    found: list[str] = []
    if fit is not None and "fp8" in (fit.weights, fit.cache) and not hopper:
        found.append("8-bit numbers are computed with from compute capability 8.9 (Ada) on; older GPUs only store them")
    if model.images:
        found.append(
            f"a picture of 16:9 costs {image_tokens(1920, 1080, num_crops):,} tokens, of {model.images} in a prompt at most"
        )
    if model.trusts_code:
        found.append(
            f"it runs code of the model's repository, of commit {(revision or REVISIONS[model.role])[:12]} and no other"
        )
    if model.role == "speech":
        found.append("it reads audio only where vLLM has its extra: pip install 'vllm[audio]'")
    return [*found, "anybody who reaches the port may ask; with VLLM_API_KEY set, only who has the key"]


def serve_command(arguments: list[str]) -> str:
    """The line for a shell, one flag a line."""
    head, flags = arguments[:2], arguments[2:]
    lines = [shlex.join(["vllm", *head])]
    for argument in flags:
        if argument.startswith("--"):
            lines.append(argument)
        else:
            lines[-1] += f" {shlex.quote(argument)}"
    return " \\\n  ".join(lines)


def _memory(fit: Fit, *, hopper: bool) -> list[str]:
    arguments = ["--gpu-memory-utilization", f"{fit.utilization:.2f}"]
    if fit.model.role in ENCODERS:
        return arguments
    arguments += ["--dtype", "bfloat16", "--max-model-len", str(fit.context_tokens)]
    if fit.gpus > 1:
        arguments += ["--tensor-parallel-size", str(fit.gpus)]
    if fit.weights == "fp8":
        arguments += ["--quantization", "fp8_per_channel"]
    if fit.cache == "fp8":
        arguments += ["--kv-cache-dtype", "fp8"]
        if fit.model.shape.head_dim not in _HEAD_DIMS and not hopper:
            arguments += ["--attention-backend", "TRITON_ATTN"]
    return arguments
