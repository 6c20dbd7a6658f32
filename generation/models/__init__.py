"""The models that can answer: what is known of them, what they need, how they are served."""
