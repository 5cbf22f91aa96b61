import { useEffect, useState } from "react";
import { say } from "../lib/toasts";

const SHOWN_MS = 1500;

export function CopyButton({ label, text }: { label: string; text: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);

  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      say("This browser copies only on localhost or over HTTPS. Mark the text instead.", { tone: "bad" });
    }
  }

  return (
    <button type="button" className="button button-plain" aria-label={label} onClick={copy}>
      {copied ? "Copied" : "Copy"}
    </button>
  );
}
