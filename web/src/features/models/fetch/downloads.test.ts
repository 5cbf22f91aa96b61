import { expect, it } from "vitest";
import { aRegistry, aSystem } from "../../../testing/wire";
import { aDownload, anOffer } from "../testing";
import { listAfter, progressWords, titleOf, underWay } from "./downloads";
import { fitOf } from "./fit";
import type { Download } from "./wire";

const list = (...downloads: Download[]) => ({ downloads, folder: "/data/models", disk_free_mb: 1000 });
const idsOf = ({ downloads }: { downloads: Download[] }) => downloads.map(({ id }) => id);

it("takes what is told: new ones, further ones, and those that are gone", () => {
  const one = listAfter(list(), { event: "download", data: aDownload() });
  expect(idsOf(one)).toEqual(["d1"]);
  const further = listAfter(one, { event: "download", data: aDownload({ progress: 0.5 }) });
  expect(further.downloads.map(({ progress }) => progress)).toEqual([0.5]);
  const two = listAfter(further, { event: "download", data: aDownload({ id: "d2" }) });
  expect(idsOf(listAfter(two, { event: "download", data: aDownload({ status: "cancelled" }) }))).toEqual([
    "d2",
  ]);
});

it("takes a snapshot for the whole truth", () => {
  const data = {
    registry: aRegistry([]),
    servers: { servers: [], total_running: 0 },
    system: aSystem(),
    downloads: [aDownload({ id: "d9" })],
    benchmarks: [],
  };
  expect(idsOf(listAfter(list(aDownload()), { event: "snapshot", data }))).toEqual(["d9"]);
});

it("adds up what is under way", () => {
  const big = aDownload({ total_mb: 1000, done_mb: 600 });
  const all = [aDownload(), big, aDownload({ status: "done" }), aDownload({ status: "paused" })];
  expect(underWay(all)).toEqual({ count: 2, progress: 0.5 });
  expect(underWay([])).toEqual({ count: 0, progress: 0 });
});

it.each<[Partial<Download>, string]>([
  [{}, "25 %, 100 MB of 400 MB, 20 MB/s, 15 s left"],
  [{ mb_per_second: null, eta_seconds: null }, "25 %, 100 MB of 400 MB"],
  [{ status: "queued" }, "waits for its turn, 400 MB"],
  [{ status: "verifying", progress: 0.5 }, "verifying, 50 %, 15 s left"],
  [{ status: "paused" }, "paused at 25 %, 100 MB of 400 MB"],
  [{ status: "failed" }, "failed at 25 %, 100 MB of 400 MB"],
  [{ status: "done" }, "here, 400 MB"],
])("says of %o: %s", (of, words) => {
  expect(progressWords(aDownload(of))).toBe(words);
});

it("calls one by its quantization, or by its file", () => {
  expect(titleOf(aDownload())).toBe("org/Tiny-GGUF Q4_K_M");
  expect(titleOf(aDownload({ quantization: null }))).toBe("org/Tiny-GGUF Tiny-Q4_K_M.gguf");
});

it.each([
  [{}, "well", "fits"],
  [{ fits_gpu: true }, "well", "fits into the GPU"],
  [{ fits_gpu: false }, "tight", "fits, but not into the GPU alone"],
  [{ fits_now: false }, "tight", "fits once others have stopped"],
  [{ fits: false, fits_now: false }, "no", "too large for this machine's memory"],
  [{ fits: false, fits_disk: false }, "no", "no room on the disk"],
])("says of an offer with %o: %s, %s", (of, fit, words) => {
  expect(fitOf(anOffer(of))).toMatchObject({ fit, words });
});
