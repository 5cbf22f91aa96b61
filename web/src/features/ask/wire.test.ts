import { describe, expect, it } from "vitest";
import { ApiError } from "../../lib/http";
import { Blocks, pieceOf } from "./wire";

const STREAM =
  ': loading smol: 40%, about 2 s left\n\ndata: {"choices":[{"delta":{"content":"Par"}}]}\r\n\r\ndata:{"choices":[{"delta":{"content":"is"}}]}\n\ndata: [DONE]\n\n';

describe("a stream of events", () => {
  it.each([1, 2, 3, 7, 1000])("is the same in pieces of %i characters", (size) => {
    const blocks = new Blocks();
    const found: string[] = [];
    for (let at = 0; at < STREAM.length; at += size) found.push(...blocks.take(STREAM.slice(at, at + size)));
    expect(found).toEqual([
      ": loading smol: 40%, about 2 s left",
      '{"choices":[{"delta":{"content":"Par"}}]}',
      '{"choices":[{"delta":{"content":"is"}}]}',
      "[DONE]",
    ]);
  });

  it("joins the lines of one event's data and passes over its other fields", () => {
    expect(new Blocks().take("event: x\ndata: a\nid: 1\ndata: b\n\n")).toEqual(["a\nb"]);
  });

  it("keeps an event that has not ended", () => {
    const blocks = new Blocks();
    expect(blocks.take("data: a\n")).toEqual([]);
    expect(blocks.take("\n")).toEqual(["a"]);
  });
});

describe("an event", () => {
  it.each([
    [": waiting for smol", { news: "waiting for smol" }],
    ['{"choices":[{"delta":{"content":"a"}}]}', { text: "a" }],
    ['{"choices":[{"delta":{"reasoning_content":"hm"}}]}', { thinking: "hm" }],
    ['{"choices":[{"delta":{"role":"assistant","content":null}}]}', {}],
    ['{"choices":[{"delta":{},"finish_reason":"length"}]}', { cut: true }],
    ['{"choices":[],"usage":{"completion_tokens":7}}', { tokens: 7 }],
    [
      '{"choices":[],"usage":{"completion_tokens":7},"timings":{"predicted_n":8,"predicted_per_second":41.5}}',
      { tokens: 8, tokensPerSecond: 41.5 },
    ],
  ])("%s brings %o", (event, piece) => {
    expect(pieceOf(event)).toEqual(piece);
  });

  it("that says that the answer failed is thrown", () => {
    const event = '{"error":{"message":"The server of smol ended","type":"server_error","code":502}}';
    expect(() => pieceOf(event)).toThrowError(new ApiError(502, "The server of smol ended", ""));
  });
});
