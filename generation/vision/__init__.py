"""Pictures for questions: question and hits -> pictures that are wanted -> those that fit -> parts of the prompt."""
