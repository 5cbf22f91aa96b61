import { QueryClient } from "@tanstack/react-query";
import { expect, it } from "vitest";
import { forget, take, withBrief } from "./runs";
import { aBenchmark, aBrief } from "./testing";
import type { Page } from "./wire";

const page = (...ids: number[]): Page => ({ benchmarks: ids.map((id) => aBrief({ id })), next: null });
const idsOf = (pages: Page[]) => pages.map(({ benchmarks }) => benchmarks.map(({ id }) => id));

it.each([
  ["a new one on top", [page(5, 4), page(3)], 6, [[6, 5, 4], [3]]],
  ["a known one in its place", [page(5, 4), page(3)], 3, [[5, 4], [3]]],
  ["the first of all", [page()], 1, [[1]]],
  ["not one that a later page has", [page(5, 4)], 2, [[5, 4]]],
])("takes in %s", (_, pages, id, ids) => {
  const after = withBrief(pages, aBrief({ id, title: "told" }));
  expect(idsOf(after)).toEqual(ids);
});

it("shows a known one as it was told", () => {
  const [only] = withBrief([page(5, 4)], aBrief({ id: 4, title: "told" }));
  expect(only?.benchmarks.map(({ title }) => title)).toEqual([null, "told"]);
});

it("keeps what is known of a run beside how far it is told to be, and forgets one that is gone", () => {
  const client = new QueryClient();
  client.setQueryData(["benchmarks", "list"], { pages: [page(3)], pageParams: [null] });
  client.setQueryData(["benchmarks", "one", 3], aBenchmark());
  take(client, aBrief({ status: "running", done_requests: 4 }));
  expect(client.getQueryData(["benchmarks", "one", 3])).toMatchObject({ done_requests: 4, seed: 42 });
  expect(client.getQueryState(["benchmarks", "one", 3])?.isInvalidated).toBe(false);
  take(client, aBrief({ status: "done" }));
  expect(client.getQueryState(["benchmarks", "one", 3])?.isInvalidated).toBe(true);
  forget(client, 3);
  expect(client.getQueryData(["benchmarks", "one", 3])).toBeUndefined();
  expect(client.getQueryData(["benchmarks", "list"])).toEqual({ pages: [page()], pageParams: [null] });
});
