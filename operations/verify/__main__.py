"""Run python -m operations.verify."""

import sys

from operations.verify.command import main

sys.exit(main())
