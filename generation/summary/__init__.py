"""Summaries of documents, repositories, collections and conversations: written by a model, or key sentences without one.

scope (which documents) -> parts (prompts that fit) -> notes -> fewer notes -> the summary -> checked, sentence by sentence
scope -> candidates (sentences) -> centrality -> key sentences, in document order        where there is no model
recordings -> what was said -> decisions, tasks, open questions -> minutes            with a model, each checked against them
"""
