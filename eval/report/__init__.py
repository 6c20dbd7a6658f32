"""Runs as one page of HTML that fetches nothing: charts, tables by group, what changed; in light and dark."""
