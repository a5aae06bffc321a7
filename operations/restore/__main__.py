"""Run python -m operations.restore."""

import sys

from operations.restore.command import main

sys.exit(main())
