"""Ingest: bytes become chunks. Sources are discovered, parsed, cut and handed to a sink; nothing here searches."""
