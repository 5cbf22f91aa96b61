import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, type Model } from "../../../lib/api";
import { fail } from "../actions";
import { clearNote } from "../notes";

/** Stops a model's servers and starts it again, so that it takes up what has changed. */
export function useRestart(model: Model) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["fleet"],
    onMutate: () => clearNote(model.model_id),
    mutationFn: async () => {
      await api.stop(model.model_id);
      return api.start(model.model_id);
    },
    onError: (failure: Error) => fail(model, failure),
    onSettled: () => client.invalidateQueries({ queryKey: ["fleet"] }),
  });
}
