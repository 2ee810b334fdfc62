"""`python3 -m prosody_admin` is prosody-admind, for running it from a checkout."""

import sys

from prosody_admin.start import main

sys.exit(main())
