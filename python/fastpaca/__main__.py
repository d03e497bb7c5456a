"""`python -m fastpaca` is the command `fastpaca`."""

import sys

from fastpaca.cli import main

if __name__ == "__main__":
    sys.exit(main())
