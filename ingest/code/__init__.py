"""Source code: cut along its syntax, named by its symbols, linked by what it imports and calls."""
