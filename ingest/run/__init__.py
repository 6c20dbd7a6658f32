"""A run of ingest: planning, worker processes here or on a cluster, the report, and the seam to what stores the chunks."""
