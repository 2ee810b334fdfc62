"""`python3 -m prosody_admin.client`: the same as `prosody-adminctl`."""

import sys

from prosody_admin.client.start import main

sys.exit(main())
