import { gzipSync } from "node:zlib";
import type { Plugin, Rolldown } from "vite";

/** Gzipped bytes of script until the home page shows. */
export const FIRST_LOAD_LIMIT_BYTES = 250_000;

/** What the first load's scripts are called: the entry, the home page's module, and all that these need. */
export function firstLoad(bundle: Rolldown.OutputBundle, homePage: string): string[] {
  const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
  const wanted = chunks.filter(
    ({ isEntry, facadeModuleId }) => isEntry || facadeModuleId?.endsWith(homePage),
  );
  const names = new Set(wanted.map(({ fileName }) => fileName));
  for (const name of names) {
    const chunk = bundle[name];
    if (chunk?.type === "chunk") for (const needed of chunk.imports) names.add(needed);
  }
  return [...names];
}

/** Says how much script the first load is, and fails the build where that is too much. */
export function firstLoadBudget(homePage: string, limitBytes = FIRST_LOAD_LIMIT_BYTES): Plugin {
  return {
    name: "first-load-budget",
    generateBundle(_, bundle) {
      const sizes = firstLoad(bundle, homePage).map((name) => {
        const chunk = bundle[name];
        return chunk?.type === "chunk" ? gzipSync(chunk.code).length : 0;
      });
      const bytes = sizes.reduce((sum, size) => sum + size, 0);
      const words = `First load: ${(bytes / 1000).toFixed(1)} kB of gzipped script in ${sizes.length} files`;
      if (bytes > limitBytes) this.error(`${words}; at most ${limitBytes / 1000} kB are allowed`);
      this.info(words);
    },
  };
}
