// SPDX-License-Identifier: Apache-2.0
// Holds the plan of docs/architecture.md against the imports of src/: no circles, nothing from core/ to app/, the
// folders of core/ in their order, and nothing in core/ that needs a page.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const src = dirname(fileURLToPath(import.meta.url));

// A folder may import from itself and from those before it.
const kOrder = ["core/source", "core/maps", "core/state", "app", "app/components"];
const kOnlyFetch = "core/source/http_source.ts";

const modules = readdirSync(src, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => /\.tsx?$/.test(path) && !path.endsWith(".test.ts"))
  .sort();

const textOf = new Map(modules.map((path) => [path, readFileSync(join(src, path), "utf8")]));

// What a module's text says after `from` or `import`, in the words of the module.
function specifiers(text: string): string[] {
  return [...text.matchAll(/^(?:import|export)\b[^;]*?["']([^"']+)["'];/gm)].map(
    (found) => found[1]!,
  );
}

function importsOf(path: string): string[] {
  return specifiers(textOf.get(path)!).flatMap((specifier) => {
    if (!specifier.startsWith(".") || specifier.endsWith(".css")) return [];
    const target = relative(src, join(src, dirname(path), specifier)).replaceAll("\\", "/");
    const found = [`${target}.ts`, `${target}.tsx`].find((name) => textOf.has(name));
    return [found ?? `${target} (not found)`];
  });
}

const arrows = new Map(modules.map((path) => [path, importsOf(path)]));

// The first circle that a walk along the arrows meets; null if there is none.
function circle(from: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>();
  const visit = (path: string, way: string[]): string[] | null => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path)) return null;
    for (const next of from.get(path) ?? []) {
      const found = visit(next, [...way, path]);
      if (found) return found;
    }
    done.add(path);
    return null;
  };
  for (const path of from.keys()) {
    const found = visit(path, []);
    if (found) return found;
  }
  return null;
}

const folderOf = (path: string): string => dirname(path);

// Comments and strings may name what code may not use.
const codeOf = (text: string): string =>
  text.replace(/\/\/.*$/gm, "").replace(/"[^"\n]*"|'[^'\n]*'|`[^`]*`/g, '""');

describe("the modules of the page", () => {
  it("are all found", () => {
    expect(modules.length).toBeGreaterThan(50);
    expect([...arrows.values()].flat().filter((target) => target.includes("not found"))).toEqual(
      [],
    );
    expect(arrows.get("main.ts")).toContain("app/viewer.tsx");
    expect(arrows.get("viewer.ts")).toContain("app/viewer.tsx"); // an export from elsewhere is an arrow, too
  });

  it("have no circle", () => {
    expect(circle(arrows)).toBeNull();
    const turned = new Map([...arrows, ["core/source/npy.ts", ["app/viewer.tsx"]]]);
    expect(circle(turned)).toContain("core/source/npy.ts");
  });

  it("import only from their own folder and those before it", () => {
    const wrong = modules.flatMap((path) => {
      const place = kOrder.indexOf(folderOf(path));
      if (folderOf(path) === ".") return []; // main.ts, viewer.ts and widget.ts join everything
      if (place < 0) return [`${path}: no such folder in the order`];
      return arrows
        .get(path)!
        .filter((target) => kOrder.indexOf(folderOf(target)) > place)
        .filter((target) => !(path === "app/viewer.tsx" && target === "app/components/App.tsx"))
        .map((target) => `${path} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it("of core/ need no page", () => {
    const wrong = modules
      .filter((path) => path.startsWith("core/"))
      .flatMap((path) => {
        const text = textOf.get(path)!;
        const page = /\b(document|window|navigator|location|localStorage)\s*\./;
        return [
          ...(page.test(codeOf(text)) ? [`${path} uses the page`] : []),
          ...specifiers(text)
            .filter((name) => name.startsWith("preact"))
            .map((name) => `${path} imports ${name}`),
          ...(path.endsWith(".tsx") ? [`${path} holds a component`] : []),
        ];
      });
    expect(wrong).toEqual([]);
  });

  it("fetch in one place alone", () => {
    const fetching = modules.filter((path) => /(?<![.\w])fetch\(/.test(codeOf(textOf.get(path)!)));
    expect(fetching).toEqual([kOnlyFetch]);
  });

  it("keep no state of their own", () => {
    const stateful = modules.filter((path) =>
      /^(?:export )?(?:const \w+[^=\n]*= (?:signal|computed)\b|let )/m.test(textOf.get(path)!),
    );
    // The colours painted last and the numbers they came from: a cache, which no viewer can tell from another's.
    expect(stateful).toEqual(["core/state/display.ts"]);
  });
});
