"""Pixels become text: scanned pages and image files, recognised by Tesseract in the language that is found on them."""
