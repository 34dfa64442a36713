"""`python -m infra`: the command line, as the embedded runs start it."""

from infra.cli import main

main()
