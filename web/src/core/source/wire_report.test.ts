// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { exampleHeads } from "../../../fixtures/heads";
import { writeNpy } from "../../../fixtures/npy";
import { checkFrameMass, checkHeadReport, checkHeadTable, checkSimilarHeads } from "./wire_report";

// The example with something else in place of one of its parts.
function changed(change: (report: ReturnType<typeof exampleHeads>) => void): unknown {
  const report = exampleHeads();
  change(report);
  return JSON.parse(JSON.stringify(report));
}

const refused = (change: Parameters<typeof changed>[0]) => () => checkHeadReport(changed(change));

describe("the numbers of all heads", () => {
  it("are read, with gaps for what there is not", () => {
    const report = exampleHeads({ values: [[1, null], [3, 4]], done: [true, false] }); // prettier-ignore
    const { blocks, metrics, labels } = checkHeadReport(JSON.parse(JSON.stringify(report)));
    expect(metrics.map(({ name }) => name)).toEqual(["entropy", "self_mass"]);
    expect(labels[0]).toMatchObject({ name: "sink", rule: expect.stringContaining("half") });
    const { values, standardErrors, baselines, labels: ofHeads } = blocks[0]!;
    expect(values.get("entropy")).toEqual([Float64Array.of(1, NaN), null]);
    expect(standardErrors.get("entropy")![0]![0]).toBeCloseTo(0.01, 12);
    expect(baselines.get("entropy")).toEqual([
      { name: "uniform", values: Float64Array.of(8.25, 8.25) },
    ]);
    expect(ofHeads).toEqual([[["sink"], ["local", "sink"]], null]);
  });

  it("need nothing but a state while there are none", () => {
    const none = { state: "none", progress: 0, message: "no queries and keys" };
    expect(checkHeadReport(none)).toEqual({
      ...none,
      sample: "",
      metrics: [],
      labels: [],
      blocks: [],
    });
  });

  it("may lack a metric, and have one that is not told of", () => {
    const report = changed(({ blocks, metrics }) => {
      delete (blocks[0]!.values as Record<string, unknown>)["self_mass"];
      metrics.splice(1, 1);
    });
    expect([...checkHeadReport(report).blocks[0]!.values.keys()]).toEqual(["entropy"]);
    expect([...checkHeadReport(report).blocks[0]!.baselines.keys()]).toEqual(["entropy"]);
  });

  it.each<[string, Parameters<typeof changed>[0]]>([
    ["state", (report) => (report.state = "asleep")],
    ["progress", (report) => (report.progress = 2)],
    ["progress", (report) => (report.progress = -1)],
    ["blocks[0].values.entropy", ({ blocks }) => blocks[0]!.values.entropy.pop()],
    ["blocks[0].values.entropy[1]", ({ blocks }) => blocks[0]!.values.entropy[1]!.pop()],
    ["blocks[0].standard_errors.self_mass[0]", ({ blocks }) => blocks[0]!.standard_errors.self_mass[0]!.push(1)], // prettier-ignore
    ["blocks[0].uniform.entropy", ({ blocks }) => (blocks[0]!.uniform.entropy = [1])],
    ["blocks[0].labels", ({ blocks }) => blocks[0]!.labels.pop()],
    ["blocks[0].labels[0]", ({ blocks }) => blocks[0]!.labels[0]!.pop()],
    ["blocks[0].heads", ({ blocks }) => (blocks[0]!.heads = 0)],
    ["blocks[0].layers[0]", ({ blocks }) => (blocks[0]!.layers[0] = 0)],
    ["metrics[0].unit", ({ metrics }) => (metrics[0]!.unit = 3 as unknown as string)],
    ["blocks[0].values.entropy[0][0]", ({ blocks }) => (blocks[0]!.values.entropy[0]![0] = "1" as unknown as number)], // prettier-ignore
  ])("are refused with a wrong %s", (at, change) => {
    expect(refused(change)).toThrow(`${at} is not`);
  });

  it("take no numbers that a name brings with it", () => {
    const report = changed(({ metrics }) => (metrics[0]!.name = "constructor"));
    expect(checkHeadReport(report).blocks[0]!.values.has("constructor")).toBe(false);
  });
});

describe("pictures × pictures", () => {
  const npy = (shape: number[], count: number) =>
    writeNpy({ shape, data: new Float32Array(count) });

  it("are one array with a column more than rows", () => {
    expect(checkFrameMass(npy([4, 2, 3], 24))).toMatchObject({ heads: 4, frames: 2 });
  });

  it.each([
    [[4, 3, 3], 36],
    [[2, 3], 6],
    [[0, 2, 3], 0],
    [[1, 2, 3, 1], 6],
  ])("are refused in the shape %j", (shape, count) => {
    expect(() => checkFrameMass(npy(shape, count))).toThrow("frames.npy is not a float32 array");
  });

  it("are refused in another type", () => {
    const bytes = writeNpy({ shape: [1, 1, 2], data: Float64Array.of(0.5, 0.5) });
    expect(() => checkFrameMass(bytes)).toThrow("frames.npy is not a float32 array");
  });
});

describe("heads that are alike", () => {
  it("are a list with distances", () => {
    const similar = { definition: "a distance", heads: [{ layer: 2, head: 1, distance: 0.25 }] };
    expect(checkSimilarHeads(similar)).toEqual(similar);
  });

  it.each([
    [{ layer: 0, head: 1, distance: 0 }, "heads[0].layer"],
    [{ layer: 1, head: 1.5, distance: 0 }, "heads[0].head"],
    [{ layer: 1, head: 1, distance: null }, "heads[0].distance"],
    [{ layer: 1, head: 1, distance: -1 }, "heads[0].distance"],
  ])("are refused as %j", (head, at) => {
    expect(() => checkSimilarHeads({ definition: "", heads: [head] })).toThrow(`${at} is not`);
  });
});

describe("a table of all heads", () => {
  const table = () => ({
    name: "matches",
    definition: "Hits.",
    sample: "all",
    columns: [{ name: "block", unit: "", text: "" }, { name: "hit1" }],
    rows: [
      ["global", 0.5],
      ["global", null],
    ],
    arrays: [],
  });

  it("keeps what is used of it", () => {
    const { definition, sample, rows } = table();
    const columns = ["block", "hit1"];
    expect(checkHeadTable(table())).toEqual({ definition, sample, columns, rows });
  });

  it("refuses rows that do not fit the columns, and what is no cell", () => {
    for (const row of [["global"], ["global", {}], ["global", true], ["global", 0.5, 1]]) {
      expect(() => checkHeadTable({ ...table(), rows: [row] })).toThrow(/rows\[0\]/);
    }
    expect(() => checkHeadTable({ ...table(), columns: [{}] })).toThrow(/columns\[0\].name/);
  });
});
