import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Conversation, newConversation, withQuestion } from "./conversation";
import type * as Shelf from "./shelf";

let kept: typeof Shelf;
let stores: Storage;

// The shelf reads the browser's storage once, as it is loaded.
async function open(): Promise<void> {
  vi.resetModules();
  kept = await import("./shelf");
}

beforeEach(async () => {
  localStorage.clear();
  stores = localStorage;
  await open();
});

const asked = (question: string) => (conversation: Conversation) =>
  withQuestion(conversation, ["smol"], question, []);

function askNew(question: string): string {
  const { id } = kept.draft.get();
  kept.change(id, asked(question));
  return id;
}

const titles = () => kept.shelf.get().map(({ title }) => title);

describe("the shelf", () => {
  it("keeps a conversation once it has a question", async () => {
    kept.change(kept.draft.get().id, (now) => ({ ...now, system: "Be brief." }));
    expect(stores.length).toBe(0);
    askNew("One?");
    await open();
    expect(titles()).toEqual(["One?"]);
    expect(kept.shelf.get()[0]?.system).toBe("Be brief.");
    expect(kept.shelf.get()[0]?.turns[0]?.answers[0]?.state).toBe("stopped");
  });

  it("begins another draft after that", () => {
    const first = askNew("One?");
    expect(kept.draft.get().id).not.toBe(first);
    expect(kept.draft.get().turns).toEqual([]);
  });

  it("writes nothing while an answer grows", () => {
    const id = askNew("One?");
    const before = stores.getItem(`synapse-conversation:${id}`);
    kept.change(id, (now) => ({ ...now, title: "Other" }), false);
    expect(titles()).toEqual(["Other"]);
    expect(stores.getItem(`synapse-conversation:${id}`)).toBe(before);
  });

  it("takes back a deletion, here and in the storage", async () => {
    const id = askNew("One?");
    const putBack = kept.remove(id);
    expect(titles()).toEqual([]);
    expect(stores.length).toBe(0);
    putBack();
    await open();
    expect(titles()).toEqual(["One?"]);
  });

  it("sees what another tab does", () => {
    const id = askNew("One?");
    const leave = kept.followOtherTabs();
    kept.change(id, (now) => ({ ...now, turns: [] }));
    const key = `synapse-conversation:${id}`;
    const text = JSON.stringify({ ...newConversation(), id, title: "Renamed there" });
    stores.setItem(key, text);
    dispatchEvent(new StorageEvent("storage", { key }));
    leave();
    expect(titles()).toEqual(["Renamed there"]);
  });

  it("passes over what it cannot read", async () => {
    stores.setItem("synapse-conversation:broken", "{");
    await open();
    expect(titles()).toEqual([]);
  });

  it("says so where the browser has no room", async () => {
    const { toasts } = await import("../../lib/toasts");
    const full = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
    vi.stubGlobal("localStorage", { setItem: full, removeItem: () => undefined });
    askNew("One?");
    expect(titles()).toEqual(["One?"]);
    expect(toasts.get().map(({ name }) => name)).toEqual(["no-room"]);
    vi.unstubAllGlobals();
  });
});

describe("the bound", () => {
  const three = ["a", "b", "c"].map((title) => newConversation({ id: title, title }));
  const size = JSON.stringify(three[0]).length;

  it.each([
    [3 * size, 3, ["a", "b", "c"]],
    [2 * size, 3, ["a", "b"]],
    [3 * size, 1, ["a"]],
    [10, 3, ["a"]],
  ])("of %i characters and %i conversations leaves %j", (characters, count, left) => {
    expect(kept.thatFit(three, characters, count).map(({ title }) => title)).toEqual(left);
  });
});
