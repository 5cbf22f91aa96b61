/** How each answer under way is ended, by conversation. It goes on while another page is looked at. */
const underWay = new Map<string, Set<() => void>>();

/** Has `stop` end what now begins; what is returned says that it has ended. */
export function begin(conversationId: string, stop: () => void): () => void {
  const together = underWay.get(conversationId) ?? new Set();
  underWay.set(conversationId, together.add(stop));
  return () => void together.delete(stop);
}

export function stop(conversationId: string): void {
  for (const end of underWay.get(conversationId) ?? []) end();
}
