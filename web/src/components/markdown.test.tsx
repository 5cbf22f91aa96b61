import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import Markdown from "./markdown";

afterEach(cleanup);

const html = (text: string) => render(<Markdown text={text} />).container.innerHTML;

it.each([
  ["**a** _b_ `c<d` ~~e~~", "<p><strong>a</strong> <em>b</em> <code>c&lt;d</code> <del>e</del></p>"],
  ["# A", '<h3 data-depth="1">A</h3>'],
  ["1. a\n2. b", '<ol start="1"><li>a</li><li>b</li></ol>'],
  ["> a", "<blockquote><p>a</p></blockquote>"],
  ["5 &lt; 6 &amp; 7", "<p>5 &lt; 6 &amp; 7</p>"],
  ["a\n\n---", "<p>a</p><hr>"],
])("%j is shown", (text, expected) => {
  expect(html(text)).toContain(expected);
});

it.each([
  "<img src=x onerror=alert(1)>",
  "<script>alert(1)</script>",
  "a <b onclick='alert(1)'>b</b>",
  "[a](javascript:alert(1))",
  "![a](javascript:alert(1))",
  "[a](data:text/html,hello)",
])("%j stays text", (text) => {
  const { container } = render(<Markdown text={text} />);
  expect(container.querySelector("script, img, a, b")).toBeNull();
});

it("shows tables, and code with a button that copies it", () => {
  render(<Markdown text={"| a | b |\n|---|--:|\n| 1 | 2 |\n\n```python\nprint(1)\n```"} />);
  expect(screen.getAllByRole("columnheader").map(({ textContent }) => textContent)).toEqual(["a", "b"]);
  expect(screen.getByText("python")).toBeTruthy();
  expect(screen.getByText("print(1)")).toBeTruthy();
  expect(screen.getByRole("button", { name: "Copy code" })).toBeTruthy();
});

it("shows a code block that has not ended as one", () => {
  expect(html("```js\nlet a")).toContain("<code>let a</code>");
});
