// SPDX-License-Identifier: Apache-2.0

// What there is for maps, in CSS pixels.
export interface Room {
  width: number;
  height: number;
}
