// SPDX-License-Identifier: Apache-2.0
#include "artifact/array_file.h"
