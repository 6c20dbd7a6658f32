"""PDF files: opened, read into lines, and made into blocks; tables and figures among them; pages as pictures."""
