"""``python -m jointlaw`` is ``jointlaw``."""

import sys

from jointlaw.cli import main

if __name__ == "__main__":
    sys.exit(main())
