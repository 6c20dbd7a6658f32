"""`python -m phidex`: the command line."""

from phidex.cli import main

main()
