"""Recordings: what was shown becomes keyframes with their text, what was said becomes segments."""
