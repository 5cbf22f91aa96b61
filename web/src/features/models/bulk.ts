import type { QueryClient } from "@tanstack/react-query";
import { api, type Model, type Tier } from "../../lib/api";
import { countWords } from "../../lib/format";
import { refusalOf } from "../../lib/http";
import { mutateOnce } from "../../lib/mutate";
import { canStop } from "../../lib/status";
import { say } from "../../lib/toasts";
import { startingAll } from "./actions";
import { putNote } from "./notes";

// A browser opens six connections to a host; some are to be left for everything else.
const AT_A_TIME = 3;

/** Stops those of the given models that run or are about to. */
export const stoppingSome = (client: QueryClient) => ({
  mutationKey: ["fleet"],
  mutationFn: (models: Model[]) => forEach(models.filter(canStop), ({ model_id }) => api.stop(model_id)),
  onSuccess: ({ done }: Outcome) => {
    const again = () =>
      mutateOnce(
        client,
        startingAll(client),
        done.map(({ model_id }) => model_id),
      );
    say(`Stopped ${countWords(done.length, "model")}`, {
      ...(done.length > 0 ? { undo: { label: "START them again", run: again } } : {}),
    });
  },
  onSettled: () => client.invalidateQueries({ queryKey: ["fleet"] }),
});

interface Tiering {
  models: Model[];
  /** What each is given; null puts the automatic tier back. */
  tierOf: (model: Model) => Tier | null;
  words: string;
}

/** Puts the given models into a tier. */
export const tiering = (client: QueryClient) => ({
  mutationFn: ({ models, tierOf }: Tiering) =>
    forEach(models, (model) => api.edit(model.model_id, { tier: tierOf(model) })),
  onSuccess: ({ done }: Outcome, { words }: Tiering) => {
    const before: Tiering = {
      models: done,
      tierOf: ({ tier, tier_is_override }) => (tier_is_override ? tier : null),
      words: "as before",
    };
    const undo = { label: "Undo", run: () => mutateOnce(client, tiering(client), before) };
    say(`Tier of ${countWords(done.length, "model")}: ${words}`, done.length > 0 ? { undo } : {});
  },
  onSettled: () => client.invalidateQueries({ queryKey: ["fleet"] }),
});

interface Outcome {
  done: Model[];
}

/** Does it to each, a few at a time; what is refused is noted in the model's row and holds up no other. */
async function forEach(models: Model[], act: (model: Model) => Promise<unknown>): Promise<Outcome> {
  const left = [...models];
  const done: Model[] = [];
  async function work(): Promise<void> {
    for (let model = left.shift(); model; model = left.shift()) {
      try {
        await act(model);
        done.push(model);
      } catch (failure) {
        putNote(model.model_id, refusalOf(failure));
      }
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return { done };
}
