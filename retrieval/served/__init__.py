"""Models served over HTTP: embeddings and rerank scores from vLLM, TEI, Ollama, OpenAI, Jina, Cohere and their like.

connection.py   JSON over HTTP: retries, and every failure as an error of Phidex
embeddings.py   ServedEmbedder
scores.py       ServedReranker
probe.py        what an endpoint serves, for people
"""
