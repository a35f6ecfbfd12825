"""`python -m dfcompile`."""

import sys

from dfcompile.cli import main

sys.exit(main())
