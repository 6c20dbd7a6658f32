"""Generation: a context becomes an answer. Routes, prompts, the chat client, the extractive answerer, citations."""
