"""Run python -m operations.compact."""

import sys

from operations.compact.command import main

sys.exit(main())
