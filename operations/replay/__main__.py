"""Run python -m operations.replay."""

import sys

from operations.replay.command import main

sys.exit(main())
