"""Answers as data: fields that fit a schema, labels and tables, each value with the place in the documents that it rests on."""
