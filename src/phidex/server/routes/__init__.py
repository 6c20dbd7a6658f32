"""The routes, a file each for what they are about.

library   collections and their sources
intake    uploads and imports
jobs      how far they are
answers   search, ask, summarize, extract
places    pages as pictures, blobs, originals
chat      what OpenAI's clients call
state     health, metrics, models
"""
