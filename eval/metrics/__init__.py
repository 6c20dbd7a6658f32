"""What is measured: rankings, places, texts, citations, groundedness; and how sure a mean is."""
