"""The command line: `phidex ingest | search | ask | sources | remove | status | complete | reindex | doctor | models | ui |
serve | mcp | conversations | eval | speakers | export | keys`.

    app      the commands put together, and what their errors become
    options  what several of them take
    session  the SDK as they open it, filters, and what they print
    intake   ingest, complete, reindex
    query    search, ask
    manage   sources, remove, status
    run      doctor, ui
    models   models, models command, models compose
    serve    serve
    mcp      mcp
    keys     keys create, keys list, keys revoke

Exit codes: 0 done, 1 some files failed (they are named), 2 wrong use, 3 a service is down, 130 interrupted.
"""

from phidex.cli.app import main

__all__ = ["main"]
