import type { MutationOptions, QueryClient } from "@tanstack/react-query";

/** Does once what `useMutation` would do with these options: for keys, toasts and the palette, outside of any component. */
export function mutateOnce<Data, Given, Context>(
  client: QueryClient,
  options: MutationOptions<Data, Error, Given, Context>,
  given: Given,
): void {
  const mutation = client.getMutationCache().build(client, options);
  // `onError` has told the person.
  void mutation.execute(given).catch(() => undefined);
}
