"""What is asked where nobody wrote questions: long contexts by RULER's tasks, functions of a repository, sets made of a
collection."""
