// SPDX-License-Identifier: Apache-2.0
// The numbers were computed with NumPy: rotations from axis and angle, the line as l = F x.
import { describe, expect, it } from "vitest";
import {
  centreOfCamera,
  clipLine,
  epipolarLine,
  frustum,
  inCamera,
  inWorld,
  lift,
  project,
  type Camera,
} from "./camera";

const one: Camera = {
  fx: 430,
  fy: 433,
  cx: 259,
  cy: 175,
  distortion: [0, 0, 0, 0],
  rotation: [
    [0.954143705, -0.064022512, -0.292422483],
    [0.034277888, 0.993803203, -0.105736557],
    [0.29737992, 0.090864245, 0.950425627],
  ],
  translation: [0.2, -0.1, 1.5],
};
const other: Camera = {
  fx: 520,
  fy: 510,
  cx: 250,
  cy: 180,
  distortion: [0, 0, 0, 0],
  rotation: [
    [0.916477126, -0.135841448, 0.376320047],
    [0.057231685, 0.975434449, 0.212725574],
    [-0.395972488, -0.173420693, 0.901737796],
  ],
  translation: [-0.4, 0.15, 1.8],
};
const pixel = { x: 300, y: 140 };

function expectNear(actual: readonly number[], expected: readonly number[], digits = 6) {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, digits));
}

describe("a camera", () => {
  it("lifts a pixel into the world, and another projects it", () => {
    const world = inWorld(one, lift(one, pixel, 2.5));
    expectNear(world, [0.330493375, -0.013038395, 0.949998195]);
    const seen = inCamera(other, world);
    expectNear(seen, [0.262164139, 0.358285505, 2.528044123]);
    const at = project(other, seen)!;
    expectNear([at.x, at.y], [303.9252266, 252.2794376], 4);
    expectNear(centreOfCamera(one), [-0.633470833, -0.024111544, -1.377727599]);
  });

  it("with a lens that distorts moves pixels, and undoes it", () => {
    const bent: Camera = { ...other, distortion: [0.1, -0.05, 0.01, -0.02] };
    const at = project(bent, [0.262164139, 0.358285505, 2.528044123])!;
    expectNear([at.x, at.y], [303.697395, 252.561247], 4);
    expectNear(lift(bent, at, 2.528044123), [0.262164139, 0.358285505, 2.528044123], 8);
  });

  it("sees nothing behind itself", () => {
    expect(project(one, [0, 0, -1])).toBeNull();
    expect(project(one, [0, 0, 0])).toBeNull();
    expect(project(one, [0, 0, NaN])).toBeNull();
  });

  it("has a frustum from its centre to what it sees", () => {
    const { centre, corners } = frustum(other, 500, 360, 2);
    expectNear(centre, centreOfCamera(other));
    const seen = corners.map((corner) => project(other, inCamera(other, corner))!);
    expectNear(
      seen.flatMap(({ x, y }) => [x, y]),
      [0, 0, 500, 0, 500, 360, 0, 360],
    );
    expect(inCamera(other, corners[2]!)[2]).toBeCloseTo(2, 9);
  });
});

describe("an epipolar line", () => {
  const line = epipolarLine(one, other, pixel)!;

  it("is that of the fundamental matrix", () => {
    const sign = Math.sign(line.b);
    expectNear([line.a * sign, line.b * sign], [-0.193670795, 0.981066574]);
    expect(line.c * sign).toBeCloseTo(-188.641483491, 4);
  });

  it("goes through the point at every depth", () => {
    for (const z of [0.5, 2.5, 40]) {
      const at = project(other, inCamera(other, inWorld(one, lift(one, pixel, z))))!;
      expect(line.a * at.x + line.b * at.y + line.c).toBeCloseTo(0, 5);
    }
  });

  it("is not there where cameras only turn, or one stands on the ray", () => {
    const [tx, ty, tz] = inCamera({ ...other, translation: [0, 0, 0] }, centreOfCamera(one));
    expect(epipolarLine(one, { ...other, translation: [-tx, -ty, -tz] }, pixel)).toBeNull();
    expect(epipolarLine(one, one, pixel)).toBeNull();
    const ahead = inCamera({ ...one, translation: [0, 0, 0] }, inWorld(one, lift(one, pixel, 1)));
    const there: Camera = { ...one, translation: [-ahead[0], -ahead[1], -ahead[2]] };
    expect(epipolarLine(one, there, pixel)).toBeNull();
  });

  it("is clipped to the picture", () => {
    const [from, to] = clipLine(line, 518, 350)!.sort((p, q) => p.x - q.x);
    expectNear([from.x, from.y, to.x, to.y], [0, 192.2820412, 518, 294.5395987], 4);
    const short = clipLine(line, 518, 250)!.sort((p, q) => p.x - q.x);
    expect(short[1]!.y).toBeCloseTo(250, 9);
    expect(clipLine(line, 518, 100)).toBeNull();
    expect(clipLine({ a: 1, b: 0, c: -20 }, 50, 40)).toEqual(
      expect.arrayContaining([
        { x: 20, y: 0 },
        { x: 20, y: 40 },
      ]),
    );
    expect(clipLine({ a: 0, b: 1, c: -41 }, 50, 40)).toBeNull();
  });
});
