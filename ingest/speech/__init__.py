"""What was said in a recording: read from subtitles, or recognised.

    subtitles beside the file -> subtitles inside it -> speech to text (an endpoint, or a model here) -> nothing, and said so

transcript.py  the records: utterances, turns
captions.py    WebVTT and SRT
embedded.py    subtitle streams of containers
names.py       who speaks, where the text says so
parse.py       a subtitle file by itself
find.py        which of these a recording has
beside.py      which files lie beside a recording and belong to it
recognise.py   speech to text, piece by piece, kept by content
silence.py     audio in pieces, cut where nobody speaks
endpoint.py    an OpenAI-compatible transcription endpoint
local.py       faster-whisper
tongues.py     names of languages
options.py     what workers are told of it
"""
