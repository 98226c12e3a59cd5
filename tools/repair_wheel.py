#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""auditwheel repair, for machines that have no desktop.

    repair_wheel.py WHEEL FOLDER

Writes the wheel into FOLDER with all libraries inside that it needs, but for the C and C++ libraries. auditwheel
itself would also leave out X11, GLib, Expat and zlib, which containers and servers often do not have.
"""

import sys

from auditwheel import main, policy

DESKTOP = {"libatomic.so.1", "libX11.so.6", "libXext.so.6", "libXrender.so.1", "libICE.so.6", "libSM.so.6",
           "libGL.so.1", "libgobject-2.0.so.0", "libgthread-2.0.so.0", "libglib-2.0.so.0", "libexpat.so.1",
           "libz.so.1"}

names_of = policy._fixup_musl_libc_soname
policy._fixup_musl_libc_soname = lambda *arguments: frozenset(names_of(*arguments)) - DESKTOP
wheel, folder = sys.argv[1:]
sys.argv[1:] = ["repair", "--strip", "--wheel-dir", folder, wheel]
sys.exit(main.main())
