"""The field's files -> `TestSet`: BEIR, TREC, MIRACL, SQuAD and XQuAD, RULER, RepoQA, and our own lines of JSON.

A broken line costs itself alone: it is in the set's `faults` with file and line.
"""

from phidex.eval.formats.load import FORMATS, load_set

__all__ = ["FORMATS", "load_set"]
