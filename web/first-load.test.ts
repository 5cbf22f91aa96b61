import { build } from "vite";
import { expect, it } from "vitest";
import { firstLoadBudget } from "./first-load";

const FILES: Record<string, string> = {
  "virtual:entry": "import('virtual:home'); import('virtual:other'); globalThis.x = 1;",
  "virtual:home": "import { text } from 'virtual:shared'; export default text;",
  "virtual:shared": `export const text = "${[...Array(3000).keys()].map((n) => n * 7919).join("")}";`,
  "virtual:other": `import { text } from 'virtual:shared'; export default text + "${"x".repeat(50)}";`,
};

const files = {
  name: "files",
  resolveId: (id: string) => (id in FILES ? id : null),
  load: (id: string) => FILES[id] ?? null,
};

function built(limitBytes: number) {
  return build({
    configFile: false,
    logLevel: "silent",
    plugins: [files, firstLoadBudget("virtual:home", limitBytes)],
    build: { write: false, rolldownOptions: { input: "virtual:entry" } },
  });
}

it("fails a build whose first load is too heavy, counting what the home page needs", async () => {
  await expect(built(1000)).rejects.toThrow("kB of gzipped script in 3 files; at most 1 kB");
  await expect(built(250_000)).resolves.toBeDefined();
});
