"""What a question says: its language, what it quotes and names, the places and days it speaks of, and its filters."""
