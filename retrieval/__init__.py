"""Retrieval: chunks become a context. Analyzers, embedders, stores, search, fusion and packing."""
