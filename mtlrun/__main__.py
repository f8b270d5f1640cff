"""`python -m mtlrun` does what `mtlrun` does."""

import sys

from mtlrun.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
