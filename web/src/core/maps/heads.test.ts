// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { exampleHeads } from "../../../fixtures/heads";
import { checkHeadReport, type HeadBlock } from "../source/wire_report";
import {
  arrangeHeads,
  baselinesOfLayer,
  baselineSpans,
  bandOf,
  differenceSpan,
  errorOfHead,
  headDifference,
  labelLetters,
  labelsOfHead,
  layersDone,
  sameHeads,
  spanOf,
  withTable,
  valueOfHead,
} from "./heads";
import { position } from "./scale";

const block = (values: (number | null)[][]): HeadBlock =>
  checkHeadReport(exampleHeads({ values })).blocks[0]!;

const names = (rows: { layer: number; head: number }[][]) =>
  rows.map((row) => row.map(({ layer, head }) => `${layer}.${head}`).join(" "));

describe("the order of heads", () => {
  const some = block([
    [3, 1, 2],
    [2, null, 9],
  ]);

  it("is that of layers and heads in place", () => {
    expect(names(arrangeHeads(some, "entropy", "place"))).toEqual(["1.1 1.2 1.3", "2.1 2.2 2.3"]);
  });

  it("has the largest first, what is no number last, and equals as they were", () => {
    expect(names(arrangeHeads(some, "entropy", "layer"))).toEqual(["1.1 1.3 1.2", "2.3 2.1 2.2"]);
    expect(names(arrangeHeads(some, "entropy", "all"))).toEqual(["2.3 1.1 1.3", "2.1 1.2 2.2"]);
  });

  it("has those that a filter leaves out behind the rest, if layers are mixed anyway", () => {
    const first = ({ head }: { head: number }) => head === 2;
    expect(names(arrangeHeads(some, "entropy", "all", first))[0]).toBe("1.2 2.2 2.3");
    expect(names(arrangeHeads(some, "entropy", "layer", first))[0]).toBe("1.1 1.3 1.2");
  });

  it("of a layer that is not computed stands behind the others", () => {
    const report = exampleHeads({
      values: [
        [1, 2],
        [3, 4],
      ],
      done: [false, true],
    });
    const half = checkHeadReport(report).blocks[0]!;
    expect(names(arrangeHeads(half, "entropy", "all"))).toEqual(["2.2 2.1", "1.1 1.2"]);
    expect(layersDone(half)).toEqual([2]);
    expect(valueOfHead(half, "entropy", { layer: 1, head: 1 })).toBeNaN();
    expect(labelsOfHead(half, { layer: 1, head: 1 })).toEqual([]);
  });

  it("does not fail where nothing is known of a metric", () => {
    expect(arrangeHeads(some, "other", "all")).toHaveLength(2);
    expect(spanOf([some], "other")).toBeNull();
    expect(valueOfHead(some, "entropy", { layer: 7, head: 1 })).toBeNaN();
    expect(valueOfHead(some, "entropy", { layer: 1, head: 9 })).toBeNaN();
  });
});

describe("letters", () => {
  it("are the first of each name that is free", () => {
    const of = (...all: string[]) =>
      [...labelLetters(all.map((name) => ({ name, label: name, rule: "" }))).values()].join("");
    expect(
      of("sink", "self", "local", "same-cell", "matcher", "first-picture", "uniform", "hub"),
    ).toBe("SELAMFUH");
    expect(of("a", "a1", "3d")).toBe("ABD");
    expect(of(...Array.from({ length: 37 }, (_, i) => `s${i}`)).slice(-1)).toBe("?");
  });
});

describe("colours", () => {
  it("reach from the least to the largest of all shown", () => {
    const [a, b] = [block([[3, 1, null]]), block([[0.5, 2, 2]])];
    expect(spanOf([a], "entropy")).toEqual({ low: 1, high: 3, log: false });
    const both = spanOf([a, b], "entropy")!;
    expect(both).toEqual({ low: 0.5, high: 3, log: false });
    expect(position(1.75, both)).toBe(0.5);
    expect(spanOf([block([[null]])], "entropy")).toBeNull();
  });

  it("of differences lie evenly about 0", () => {
    const [a, b] = [block([[3, 1, null]]), block([[0.5, 2, 2]])];
    expect(sameHeads(a, b)).toBe(true);
    expect(sameHeads(a, block([[1, 2]]))).toBe(false);
    const minus = headDifference(a, b, "entropy");
    expect([...minus.values.get("entropy")![0]!]).toEqual([2.5, -1, NaN]);
    expect(differenceSpan(minus, "entropy")).toMatchObject({ low: -2.5, high: 2.5 });
    expect(errorOfHead(minus, "entropy", { layer: 1, head: 1 })).toBeNaN();
    expect(baselinesOfLayer(minus, "entropy", 1)).toEqual([]);
  });

  it("know where uniform attention lies", () => {
    const report = exampleHeads({ values: [[1], [2]], uniform: [4, 5] });
    const { blocks } = checkHeadReport(report);
    expect(baselineSpans(blocks[0]!, "entropy")).toEqual([{ name: "uniform", low: 4, high: 5 }]);
    expect(baselinesOfLayer(blocks[0]!, "entropy", 2)).toEqual([{ name: "uniform", value: 5 }]);
    expect(baselineSpans(blocks[0]!, "other")).toEqual([]);
  });

  it("may have the numbers of a table, too", () => {
    const [own] = checkHeadReport(exampleHeads({ values: [[1, 2], [3, 4], [5, 6]] })).blocks; // prettier-ignore
    const columns = ["block", "layer", "head", "hit1", "hit1_se", "chance1", "same_cell1", "rank"];
    const table = {
      definition: "",
      sample: "",
      columns,
      rows: [
        ["global", 1, 2, 0.5, 0.1, 0.01, 0.2, 1],
        ["global", 1, 1, 0.25, 0.1, 0.01, 0.2, 2],
        ["global", 3, 1, null, null, 0.01, 0.2, 3],
      ],
    };
    const found = withTable(own!, table);
    expect(found.values.get("hit1")).toEqual([Float64Array.of(0.25, 0.5), null, Float64Array.of(NaN, NaN)]); // prettier-ignore
    expect(errorOfHead(found, "hit1", { layer: 1, head: 1 })).toBe(0.1);
    expect(baselinesOfLayer(found, "hit1", 1)).toEqual([
      { name: "chance", value: 0.01 },
      { name: "same cell", value: 0.2 },
    ]);
    expect(baselinesOfLayer(found, "hit1", 2)).toEqual([]);
    expect(baselineSpans(found, "hit1")[1]).toEqual({ name: "same cell", low: 0.2, high: 0.2 });
    expect(found.values.has("rank")).toBe(false);
    expect(found.values.get("entropy")).toBe(own!.values.get("entropy"));
    expect(withTable({ ...own!, kind: "frame" }, table).values.has("hit1")).toBe(false);
  });
});

describe("the band over heads", () => {
  it("is the mean and the quartiles, as numpy.percentile has them", () => {
    expect(bandOf(Float64Array.of(4, 1, 3, 2))).toEqual({ mean: 2.5, low: 1.75, high: 3.25 });
    expect(bandOf(Float64Array.of(10, 2, NaN))).toEqual({ mean: 6, low: 4, high: 8 });
    expect(bandOf(Float64Array.of(7))).toEqual({ mean: 7, low: 7, high: 7 });
    expect(bandOf(Float64Array.of(NaN))).toBeNull();
    expect(bandOf(null)).toBeNull();
  });
});
