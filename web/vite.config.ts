import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { firstLoadBudget } from "./first-load.ts";

const controlPlane = "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react(), firstLoadBudget("src/features/models/page.tsx")],
  build: {
    outDir: "../src/synapse_engine/_page",
    emptyOutDir: true,
    // Everything is a file of its own: the page's Content-Security-Policy allows no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: Object.fromEntries(
      ["/api", "/v1", "/health"].map((path) => [
        path,
        // The control plane answers only to its own Host and Origin.
        { target: controlPlane, changeOrigin: true, headers: { origin: controlPlane } },
      ]),
    ),
  },
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.{ts,tsx}", "*.test.ts"],
    setupFiles: ["src/testing/setup.ts"],
    testTimeout: 20_000,
    restoreMocks: true,
  },
});
