"""Run python -m operations.plan."""

import sys

from operations.plan.command import main

sys.exit(main())
