"""Run python -m operations.backfill."""

import sys

from operations.backfill.command import main

sys.exit(main())
