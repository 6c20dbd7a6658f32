"""Hits -> the context that a model reads: what goes in (`select`), its blocks and order (`place`), the account (`ledger`)."""
