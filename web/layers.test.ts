import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";

// The linter itself is asked, about files that are there while it looks.
let written: string[] = [];

afterEach(() => {
  for (const path of written) rmSync(path);
  written = [];
});

function complaintsOn(path: string, imported: string): string {
  writeFileSync(path, `import "${imported}";\n`);
  written.push(path);
  const { stdout, stderr } = spawnSync(
    "node_modules/.bin/biome",
    ["lint", "--only=noRestrictedImports", path],
    {
      encoding: "utf8",
    },
  );
  return stdout + stderr;
}

it.each([
  ["src/lib/wrong-layer.ts", "../components/press"],
  ["src/lib/wrong-layer.ts", "../features/models"],
  ["src/components/wrong-layer.ts", "../features/models/page"],
  ["src/components/wrong-layer.ts", "../app/app"],
  ["src/features/models/wrong-layer.ts", "../../app/app"],
  ["src/features/models/wrong-layer.ts", "../other/page"],
  ["src/features/models/wrong-layer.ts", "../other"],
])("refuses in %s an import of %s", (path, imported) => {
  expect(complaintsOn(path, imported)).toContain("lint/style/noRestrictedImports");
});

it.each([
  ["src/features/models/right-layer.ts", "../../lib/api"],
  ["src/features/models/right-layer.ts", "./actions"],
  ["src/app/right-layer.ts", "../features/models"],
])("allows in %s an import of %s", (path, imported) => {
  expect(complaintsOn(path, imported)).not.toContain("noRestrictedImports");
});
