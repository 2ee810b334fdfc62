"""`python3 -m prosody_admin` is prosody-admind, for running it from a checkout."""

import sys

from prosody_admin.daemon import main

sys.exit(main())
