"""The server: REST, and what OpenAI's clients speak, over the SDK.

    run      serving: checks before the start, an orderly end
    app      the application put together
    edge     what holds for every request and answer: ids, hosts, keys, sizes, headers, audit
    guard    who asks, and what they may
    keys     API keys
    faults   errors as statuses and one body
    lanes    the SDK's calls in bounded threads
    service  what one process has open
    jobs/    ingests that outlive the server
    uploads, originals, streams, history, wire, shapes, metrics, audit, files: what routes are made with
    routes/  the routes

It needs the extra `server`; `keys`, `files` and `audit` do without.
"""
