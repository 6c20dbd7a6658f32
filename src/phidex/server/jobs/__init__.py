"""Ingest as jobs that outlive the server: records in files, one runner at a time a job, whichever process it is in.

record  what is known of a job
shelf   the files it is kept in, and the lock of who runs it
runner  the thread that runs them

A job is run by who holds its lock, which the system lets go of when that process ends, however it ends: the next server to
look takes the job up, and the ingest goes on where it was.
"""
