"""The profile of a test run: HYPOTHESIS_PROFILE=thorough runs the long campaigns, too."""

import os

IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
