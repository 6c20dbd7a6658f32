"""What is named becomes files to ingest: paths and folders, repositories, archives, URLs."""
