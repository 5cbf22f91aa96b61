import { useEffect, useRef } from "react";
import type { Model, Status } from "../../lib/api";
import { say } from "../../lib/toasts";
import { run } from "./fates";

/** Says what became of the servers, whoever started or stopped them. */
export function useChangeAnnouncements(models: Model[] | undefined): void {
  const before = useRef<ReadonlyMap<string, Status> | null>(null);
  useEffect(() => {
    if (models === undefined) return;
    const changed =
      before.current === null
        ? []
        : models.filter((model) => isNews(before.current, model) && !isTold(model));
    before.current = new Map(models.map((model) => [model.model_id, model.status]));
    const news = changed.map(newsOf);
    const isBad = changed.some((model) => model.status === "failed");
    if (news.length > 0) say(news.join(". "), { name: "news", tone: isBad ? "bad" : "calm" });
  }, [models]);
}

function isNews(before: ReadonlyMap<string, Status> | null, model: Model): boolean {
  const was = before?.get(model.model_id);
  return was !== undefined && was !== model.status && ["running", "failed", "backoff"].includes(model.status);
}

/** Whether it is started with others, and told of with them. */
function isTold({ model_id }: Model): boolean {
  const now = run.get();
  return now !== null && now.asks > 0 && now.ids.includes(model_id);
}

function newsOf(model: Model): string {
  if (model.status === "running") return `${model.display_name} is running on port ${model.port}`;
  if (model.status === "backoff") return `${model.display_name} ended and will be restarted`;
  return `${model.display_name} failed: ${model.last_error?.error ?? "no reason was given"}`;
}
