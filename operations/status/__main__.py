"""Run python -m operations.status."""

import sys

from operations.status.command import main

sys.exit(main())
