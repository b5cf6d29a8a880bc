"""``python -m klint``."""

import sys

from klint.cli import main

if __name__ == "__main__":
    sys.exit(main())
