"""Run python -m operations.rates."""

import sys

from operations.rates.command import main

sys.exit(main())
