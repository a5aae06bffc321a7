"""Run python -m operations.erase."""

import sys

from operations.erase.command import main

sys.exit(main())
