"""Who answers a question: what kind of question it is, and which role that is best left to."""
